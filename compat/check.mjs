// Sends the requests that a project's description lists and compares the answers.
//
// An answer matches if it has everything that is expected: objects may have more members, lists may not have more
// elements. `<string>`, `<number>`, `<boolean>`, `<list>`, `<object>` and `<any>` stand for any value of the kind,
// `/…/` for text that the expression matches.
import { setTimeout as sleep } from 'node:timers/promises'

const REQUEST_LIMIT = 20_000

/** The results of all requests, in order. Values that one request saves are there for those after it. */
export async function check(engine, requests) {
  const saved = {}
  const results = []
  for (const expected of requests) {
    const request = expected.request ?? `log: ${expected.log}`
    results.push({ request, problem: await withPatience(engine, expected, saved) })
  }
  return results
}

/** What takes time (an event's effect) is asked for again until it is as expected or `within` seconds are over. */
async function withPatience(engine, expected, saved) {
  const limit = Date.now() + (expected.within ?? 0) * 1000
  for (;;) {
    const problem = expected.log
      ? logged(engine.lines, fill(expected.log, saved))
      : await attempt(engine.url, expected, saved)
    if (!problem || Date.now() >= limit) return problem
    await sleep(200)
  }
}

/** What steps do that no route shows is seen in what they log. */
function logged(lines, text) {
  return lines.some((line) => line.includes(text)) ? undefined : 'was not logged'
}

async function attempt(url, expected, saved) {
  const [method, path] = fill(expected.request, saved).split(' ')
  let response
  let text
  try {
    response = await fetch(url + path, {
      ...message(expected, saved),
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_LIMIT),
    })
    text = await response.text()
  } catch (error) {
    return `no answer: ${error.cause?.message ?? error.message}`
  }
  const answer = parsed(text)
  const problem = compare(response, answer, fill(expected, saved))
  if (problem) return problem
  for (const [name, where] of Object.entries(expected.save ?? {})) {
    saved[name] = where.split('.').reduce((value, key) => value?.[key], answer)
  }
}

function message({ body, text, headers }, saved) {
  if (text !== undefined) return { body: fill(text, saved), headers }
  if (body === undefined) return { headers: fill(headers, saved) }
  return {
    body: JSON.stringify(fill(body, saved)),
    headers: { 'content-type': 'application/json', ...fill(headers, saved) },
  }
}

function compare(response, answer, expected) {
  const shown = () => JSON.stringify(answer)?.slice(0, 300)
  if (response.status !== expected.status)
    return `answered ${response.status} instead of ${expected.status}: ${shown()}`
  for (const [name, value] of Object.entries(expected.answerHeaders ?? {})) {
    const difference = differs(response.headers.get(name), value, `header ${name}`)
    if (difference) return difference
  }
  if (expected.answer === undefined) return
  const difference = differs(answer, expected.answer, 'the answer')
  return difference && `${difference} in ${shown()}`
}

const KINDS = {
  '<any>': () => true,
  '<string>': (value) => typeof value === 'string',
  '<number>': (value) => typeof value === 'number',
  '<boolean>': (value) => typeof value === 'boolean',
  '<list>': Array.isArray,
  '<object>': (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/** Says how `value` differs from what was expected; nothing if it does not. */
export function differs(value, expected, where) {
  if (typeof expected === 'string' && KINDS[expected]) {
    return KINDS[expected](value) ? undefined : `${where} is not a ${expected.slice(1, -1)}`
  }
  if (typeof expected === 'string' && /^\/.+\/$/.test(expected)) {
    return new RegExp(expected.slice(1, -1), 's').test(value) ? undefined : `${where} does not match ${expected}`
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(value)) return `${where} is not a list`
    if (value.length !== expected.length) return `${where} has ${value.length} elements instead of ${expected.length}`
    return expected.map((element, index) => differs(value[index], element, `${where}[${index}]`)).find(Boolean)
  }
  if (expected !== null && typeof expected === 'object') {
    if (value === null || typeof value !== 'object') return `${where} is not an object`
    return Object.entries(expected)
      .map(([key, element]) => differs(value[key], element, `${where}.${key}`))
      .find(Boolean)
  }
  return Object.is(value, expected)
    ? undefined
    : `${where} is ${JSON.stringify(value)} instead of ${JSON.stringify(expected)}`
}

/** Puts saved values in place of `{{name}}`, at any depth. */
function fill(value, saved) {
  if (typeof value === 'string') return value.replace(/\{\{(\w+)\}\}/g, (_, name) => saved[name])
  if (Array.isArray(value)) return value.map((element) => fill(element, saved))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, fill(element, saved)]))
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
