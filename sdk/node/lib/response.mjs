// What a handler returned, as the meta and body of its RESULT. What is not a response is an error that says why: a
// client gets 500, and the log tells the author what to change.

import { metaText } from './frames.mjs'

/** Header names are tokens; values may hold anything but control characters, which could forge further headers. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

const metas = new Map()

/** `{meta, body}` of a RESULT. A promise for bodies that have to be read first (a web Response, a Blob). */
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
    if (isStream(body)) throw new TypeError('the body is a stream, which cannot be sent; return its contents')
  }
  return result(status, 'json', headers, jsonOf(body))
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

function jsonOf(body) {
  let text
  try {
    text = JSON.stringify(body)
  } catch (cause) {
    throw new TypeError(`the response's body cannot be written as JSON: ${cause.message}`, { cause })
  }
  if (text === undefined) throw new TypeError(`the response's body is a ${typeof body}, which has no JSON form`)
  return text
}

function bytesOf(body) {
  if (body instanceof Uint8Array) return body
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
}

const isStream = (body) => typeof body[Symbol.asyncIterator] === 'function' || isWeb(body, 'ReadableStream')

async function fromWebResponse(response) {
  const headers = headersOf(response.headers)
  if (response.body === null) return result(response.status, 'none', headers)
  return result(response.status, 'bytes', headers, new Uint8Array(await response.arrayBuffer()))
}

async function fromBlob(status, headers, blob) {
  const typed = Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'content-type')
  const withType = typed || blob.type === '' ? headers : { ...headers, 'content-type': blob.type }
  return result(status, 'bytes', withType, new Uint8Array(await blob.arrayBuffer()))
}

/** By name, not by class: naming the global `Response` would load Node's whole fetch. */
const isWeb = (value, name) => value !== null && typeof value === 'object' && value[Symbol.toStringTag] === name

function nameOf(value) {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`
  if (typeof value === 'number') return `the number ${value}`
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
