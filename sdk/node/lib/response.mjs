// What a handler returned, as the meta and body of its RESULT. What is not a response is an error that says why: a
// client gets 500, and the log tells the author what to change.

import { metaText } from './frames.mjs'
import { bytesOf, chunkBytes, isWeb, nameOf, sourceOf, startsWith } from './streaming.mjs'

/** Header names are tokens; values may hold anything but control characters, which could forge further headers. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

const metas = new Map()

/**
 * `{meta, body}` of a RESULT, or `{meta, stream}` for a body that comes bit by bit. A promise for bodies that have to
 * be read first (a web Response, a Blob, a stream whose first chunk says what it is).
 */
export function toResult(response) {
  if (response === null || typeof response !== 'object') {
    throw new TypeError(`a handler must return { status, body }, but this one returned ${nameOf(response)}`)
  }
  if (isWeb(response, 'Response')) return fromWebResponse(response)
  const status = statusOf(response.status)
  const headers = response.headers == null ? undefined : headersOf(response.headers)
  const { body } = response
  if (isWeb(body, 'Blob') || isWeb(body, 'File')) return fromBlob(status, headers, body)
  return encodeBody(status, headers, body)
}

function encodeBody(status, headers, body) {
  if (typeof body === 'string') return result(status, 'text', headers, body)
  if (body === undefined) return result(status, 'none', headers)
  if (body !== null && typeof body === 'object') {
    const bytes = bytesOf(body)
    if (bytes !== undefined) return result(status, 'bytes', headers, bytes)
    const source = sourceOf(body)
    if (source !== undefined) return streamResult(status, headers, source)
  }
  return result(status, 'json', headers, jsonOf(body, "the response's body"))
}

/** Most responses have no headers, and then there are few different metas. */
function result(status, type, headers, body) {
  if (headers !== undefined) return { meta: metaText({ status, type, headers }), body }
  const key = `${status}${type}`
  let meta = metas.get(key)
  if (meta === undefined) {
    meta = JSON.stringify({ status, type })
    metas.set(key, meta)
  }
  return { meta, body }
}

function statusOf(value) {
  const status = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (Number.isInteger(status) && status >= 100 && status <= 599) return status
  if (value === undefined) throw new TypeError('the response has no status; return { status, body }')
  throw new TypeError(`the response's status must be a whole number from 100 to 599, not ${nameOf(value)}`)
}

/** A plain object, a web Headers, a Map or a list of pairs. Names that come more than once become a list. */
function headersOf(source) {
  if (typeof source !== 'object') throw new TypeError(`the response's headers must be an object, not ${nameOf(source)}`)
  const headers = {}
  for (const [name, value] of source[Symbol.iterator] ? source : Object.entries(source)) {
    if (value == null) continue
    if (!TOKEN.test(name))
      throw new TypeError(`the response has a header with an invalid name: ${JSON.stringify(name)}`)
    const text = Array.isArray(value) ? value.map((item) => headerText(name, item)) : headerText(name, value)
    headers[name] = Object.hasOwn(headers, name) ? [headers[name], text].flat() : text
  }
  return headers
}

function headerText(name, value) {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw new TypeError(`the response's header ${name} must be a string, not ${nameOf(value)}`)
  }
  const text = String(value)
  if (CONTROL.test(text)) throw new TypeError(`the response's header ${name} contains control characters`)
  return text
}

/** `what` is what errors call it. */
export function jsonOf(value, what) {
  let text
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw new TypeError(`${what} cannot be written as JSON: ${cause.message}`, { cause })
  }
  if (text === undefined) throw new TypeError(`${what} is ${nameOf(value)}, which has no JSON form`)
  return text
}

/** The head leaves at once if it is complete. Without a content type the first chunk decides: text or bytes. */
function streamResult(status, headers, source) {
  if (hasContentType(headers)) return streamed(status, 'bytes', headers, source)
  return typedByFirstChunk(status, headers, source)
}

const streamed = (status, type, headers, stream) => ({
  meta: metaText({ status, type, headers, stream: true }),
  stream,
})

async function typedByFirstChunk(status, headers, source) {
  const first = await source.next()
  // The log names a chunk that cannot be sent, and the client still gets its 500.
  await chunkOrCancel(source, first)
  return streamed(status, typeof first.value === 'string' ? 'text' : 'bytes', headers, startsWith([first], source))
}

async function chunkOrCancel(source, { done, value }) {
  if (done) return
  try {
    chunkBytes(value)
  } catch (error) {
    await source.cancel()
    throw error
  }
}

/** What its author made of text or bytes is there at once, and is sent whole; anything else comes bit by bit. */
async function fromWebResponse(response) {
  const headers = headersOf(response.headers)
  if (response.body === null) return result(response.status, 'none', headers)
  // What `fetch` got is decoded already.
  if (response.url !== '') {
    delete headers['content-encoding']
    delete headers['content-length']
  }
  const source = sourceOf(response.body)
  const chunks = []
  const later = Symbol('later')
  const turn = new Promise((resolve) => setImmediate(resolve, later))
  for (;;) {
    const reading = source.next()
    const read = await Promise.race([reading, turn])
    if (read === later) {
      return streamed(response.status, 'bytes', headers, startsWith([...chunks, reading], source))
    }
    if (read.done) break
    chunks.push(read)
  }
  const bytes = chunks.map(({ value }) => chunkBytes(value))
  return result(response.status, 'bytes', headers, bytes.length === 1 ? bytes[0] : Buffer.concat(bytes))
}

async function fromBlob(status, headers, blob) {
  const withType = hasContentType(headers) || blob.type === '' ? headers : { ...headers, 'content-type': blob.type }
  return result(status, 'bytes', withType, new Uint8Array(await blob.arrayBuffer()))
}

const hasContentType = (headers) => Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'content-type')
