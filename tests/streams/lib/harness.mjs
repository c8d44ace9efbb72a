// What checks stand on: it runs the same in Node, in jsdom and in a browser.

const CHECK_LIMIT = 40_000
/** For what waits until all the other clients have done all else. */
const LAST_LIMIT = 1_200_000
const WAIT_LIMIT = 8000
/** Clients try again every 2 s. */
export const RETRY_LIMIT = 20_000
/** How long nothing must happen where nothing should. */
const QUIET = 150

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export function expect(condition, message) {
  if (!condition) throw new Error(message)
}

/** Equal as JSON, whatever the order of keys. */
export function same(actual, expected, what) {
  const [left, right] = [actual, expected].map((value) => JSON.stringify(orderly(value)))
  const short = (text) => (text?.length > 400 ? `${text.slice(0, 400)}…` : text)
  if (left !== right) throw new Error(`${what}: ${short(left)} instead of ${short(right)}`)
}

function orderly(value) {
  if (Array.isArray(value)) return value.map(orderly)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, orderly(value[key])]),
  )
}

export async function eventually(condition, what, limit = WAIT_LIMIT) {
  const end = Date.now() + limit
  let failure
  do {
    try {
      if (await condition()) return
      failure = undefined
    } catch (error) {
      failure = error
    }
    await sleep(10)
  } while (Date.now() < end)
  throw new Error(`${what} did not come within ${limit} ms${failure ? ` (${failure.message})` : ''}`)
}

/** The operations on the server, and groups that no other check uses. */
export function createServerSide(env) {
  const post = (path, body) => env.http('POST', path, body)
  return {
    url: env.url,
    newGroup: () => `g${Math.random().toString(36).slice(2)}`,
    set: (group, id, data, stream = 'board') => post('/do', { op: 'set', stream, group, id, data }),
    remove: (group, id, stream = 'board') => post('/do', { op: 'delete', stream, group, id }),
    send: (group, id, event, stream = 'board') =>
      post('/do', { op: 'send', stream, group, ...(id === undefined ? {} : { id }), event }),
    fill: (group, count, pad = 0) => post('/do', { op: 'fill', group, count, data: { pad } }),
    burst: (group, id, count, send = false) => post('/burst', { group, id, count, send }),
    stored: (group) => env.http('GET', `/group/${group}`),
    quiet: () => sleep(QUIET),
  }
}

export class Skipped extends Error {}

/** Runs `checks` one after the other; each is `[name, function, options]`. Reports a line per check. */
export async function runChecks(checks, context, env) {
  for (const [check, run, { when = () => true, last = false } = {}] of checks) {
    if (!when(context)) continue
    if (env.only && !new RegExp(env.only).test(check)) continue
    await env.takeErrors()
    const started = Date.now()
    const outcome = await outcomeOf(run, context, last ? LAST_LIMIT : CHECK_LIMIT)
    await context.cleanUp?.()
    const errors = await env.takeErrors()
    if (outcome.ok && errors.length > 0) Object.assign(outcome, { ok: false, detail: `threw: ${errors.join(' | ')}` })
    else if (errors.length > 0) outcome.detail += ` (threw: ${errors.join(' | ')})`
    if (context.excuse) Object.assign(outcome, context.excuse(check, outcome, errors))
    await env.report({ check, ...outcome, ms: Date.now() - started })
  }
}

async function outcomeOf(run, context, limit) {
  let timer
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${limit} ms`)), limit)
  })
  const work = run(context)
  try {
    const detail = await Promise.race([work, tooLate])
    return { ok: true, detail: detail ?? '' }
  } catch (error) {
    return { ok: error instanceof Skipped ? null : false, detail: error.message }
  } finally {
    clearTimeout(timer)
    work.catch(() => {})
  }
}
