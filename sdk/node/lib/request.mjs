// A CALL frame's meta and body as the `req` of a handler. JSON is parsed as it came: signatures are made over
// JSON.stringify(req.body), so no key is moved, added or dropped.
import { isUtf8 } from 'node:buffer'

/**
 * The request's body is not what its content type says. It is the client's fault: 400, and the handler is not called.
 */
export class InvalidBody extends Error {}

/** `borrowed`: the bytes are only lent (see Decoder). Returns a promise for multipart bodies. Throws InvalidBody. */
export function buildRequest(meta, bytes, borrowed) {
  switch (meta.content) {
    case undefined:
    case 'none':
      return request(meta, {}, '')
    case 'json':
      return jsonRequest(meta, bytes)
    case 'form':
      return formRequest(meta, bytes)
    case 'text':
      return textRequest(meta, bytes)
    case 'multipart':
      return multipartRequest(meta, owned(bytes, borrowed))
    default: {
      const body = owned(bytes, borrowed)
      return requestOfBytes(meta, body, body)
    }
  }
}

const request = (meta, body, rawBody) => ({
  body,
  headers: meta.headers ?? {},
  pathParams: meta.params ?? {},
  queryParams: meta.query ?? {},
  rawBody,
})

/** Few handlers ask for the raw body of an upload, which may be large: it is made when they do, and of the same bytes. */
const requestOfBytes = (meta, body, bytes) => {
  let rawBody
  return {
    body,
    headers: meta.headers ?? {},
    pathParams: meta.params ?? {},
    queryParams: meta.query ?? {},
    get rawBody() {
      rawBody ??= isText(bytes) ? bytes.utf8Slice(0, bytes.length) : bytes
      return rawBody
    },
    set rawBody(value) {
      Object.defineProperty(this, 'rawBody', { value, writable: true, enumerable: true, configurable: true })
    },
  }
}

function textRequest(meta, bytes) {
  const raw = exactText(bytes)
  if (meta.charset !== undefined) return request(meta, decodeText(bytes, meta.charset), raw)
  return request(meta, typeof raw === 'string' ? raw : bytes.utf8Slice(0, bytes.length), raw)
}

function jsonRequest(meta, bytes) {
  const raw = exactText(bytes)
  const text = typeof raw === 'string' ? raw : raw.utf8Slice(0, raw.length)
  let body
  try {
    // A byte order mark is no JSON, but some clients send one.
    body = text === '' ? {} : JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (error) {
    throw new InvalidBody(`the body is not valid JSON: ${error.message}`)
  }
  if (body === null || typeof body !== 'object') throw new InvalidBody('the JSON body must be an object or an array')
  return request(meta, body, raw)
}

function formRequest(meta, bytes) {
  const raw = exactText(bytes.subarray(meta.split))
  const body = JSON.parse(bytes.utf8Slice(0, meta.split))
  // Slack's documented signature check puts the body itself into a template: `v0:${timestamp}:${req.body}`.
  if (typeof raw === 'string' && !Object.hasOwn(body, 'toString')) {
    Object.defineProperty(body, 'toString', { value: () => raw, writable: true, configurable: true })
  }
  return request(meta, body, raw)
}

async function multipartRequest(meta, bytes) {
  let form
  try {
    form = await new Response(bytes, { headers: { 'content-type': meta.headers['content-type'] } }).formData()
  } catch (error) {
    throw new InvalidBody(`the body is not valid multipart/form-data: ${(error.cause ?? error).message}`)
  }
  const body = {}
  for (const [name, value] of form) addField(body, name, value)
  return requestOfBytes(meta, body, bytes)
}

/** A repeated field becomes a list. `__proto__` is a field like any other, so nothing is assigned. */
function addField(body, name, value) {
  const known = Object.hasOwn(body, name)
  const all = known ? [body[name], value].flat() : value
  Object.defineProperty(body, name, { value: all, writable: true, enumerable: true, configurable: true })
}

function decodeText(bytes, charset) {
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    throw new InvalidBody(`the charset ${charset} is not known`)
  }
}

/** Whether bytes lose nothing as a string. A NUL says that it is no text, whatever its bytes look like. */
const isText = (bytes) => !bytes.includes(0) && isUtf8(bytes)

/**
 * The exact bytes: as a string where that loses nothing, otherwise as a Buffer. As `isText`, but for what is most
 * likely text, and needed as a string anyway.
 */
function exactText(bytes) {
  const text = bytes.utf8Slice(0, bytes.length)
  // A replacement character is in the bytes themselves or stands for bytes that are not UTF-8.
  const exact = !text.includes('\0') && (!text.includes('\ufffd') || isUtf8(bytes))
  return exact ? text : Buffer.from(bytes)
}

const owned = (bytes, borrowed) => (borrowed ? Buffer.from(bytes) : bytes)
