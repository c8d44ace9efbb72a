// What users pass to a logger, as JSON. Unlike JSON.stringify it shows errors, Maps, bigints and cycles, never
// throws, and never writes more than a log line should hold.
import { isError, userStack } from './errors.mjs'

const LARGEST = 65_536
const LONGEST_STRING = 16_384
const DEEPEST = 12
const BYTES_SHOWN = 32
const CUT = '"[Truncated]"'

/** JSON text of `value`, or undefined where there is nothing to show. */
export function detailsJson(value) {
  if (value === undefined) return undefined
  return new Writer().value(value, 0) ?? '"[Unreadable]"'
}

class Writer {
  #left = LARGEST
  #path = []

  /** JSON text, or undefined for what JSON.stringify would leave out. */
  value(value, depth) {
    if (this.#left <= 0) return CUT
    switch (typeof value) {
      case 'string':
        return this.#string(value)
      case 'number':
        return this.#text(Number.isFinite(value) ? String(value) : `"${value}"`)
      case 'boolean':
        return this.#text(String(value))
      case 'bigint':
        return this.#string(`${value}n`)
      case 'symbol':
        return this.#string(String(value))
      case 'function':
        return this.#string(`[Function ${value.name || 'anonymous'}]`)
      case 'undefined':
        return undefined
    }
    if (value === null) return this.#text('null')
    if (this.#path.includes(value)) return this.#text('"[Circular]"')
    if (depth >= DEEPEST) return this.#text(Array.isArray(value) ? '"[Array]"' : '"[Object]"')
    this.#path.push(value)
    try {
      return this.#object(value, depth + 1)
    } catch (error) {
      return this.#string(`[Unreadable: ${safeMessage(error)}]`)
    } finally {
      this.#path.pop()
    }
  }

  #object(value, depth) {
    if (isError(value)) return this.#members(errorMembers(value), depth)
    if (Array.isArray(value)) return this.#items(value, depth)
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return this.#string(describeBytes(value))
    if (typeof value.toJSON === 'function') return this.value(value.toJSON(), depth)
    if (value instanceof Map) return this.#members(mapMembers(value), depth)
    if (value instanceof Set) return this.#items([...value], depth)
    if (value instanceof RegExp || value instanceof URL) return this.#string(String(value))
    if (value instanceof Promise) return this.#text('"[Promise]"')
    return this.#members(ownMembers(value), depth)
  }

  #items(items, depth) {
    const written = []
    for (let i = 0; i < items.length; i++) {
      this.#left-- // the comma, so that a million empty objects count too
      written.push(this.value(items[i], depth) ?? 'null')
      if (this.#left <= 0 && i + 1 < items.length) {
        written.push(CUT)
        break
      }
    }
    return `[${written.join(',')}]`
  }

  #members(members, depth) {
    const written = []
    for (const [key, member] of members) {
      this.#left--
      if (this.#left <= 0) {
        written.push(`"…":${CUT}`)
        break
      }
      const name = this.#string(key)
      const text = this.value(member, depth)
      if (text !== undefined) written.push(`${name}:${text}`)
    }
    return `{${written.join(',')}}`
  }

  #string(text) {
    const longest = Math.min(LONGEST_STRING, Math.max(this.#left, 0))
    const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
    return this.#text(JSON.stringify(cut.toWellFormed()))
  }

  #text(json) {
    this.#left -= json.length
    return json
  }
}

function* ownMembers(object) {
  for (const key of Object.keys(object)) {
    let member
    try {
      member = object[key]
    } catch (error) {
      member = `[Unreadable: ${safeMessage(error)}]`
    }
    yield [key, member]
  }
}

/** An error's members are not enumerable, so JSON.stringify shows `{}`. */
function errorMembers(error) {
  const members = [
    ['name', error.name],
    ['message', error.message],
    ['stack', typeof error.stack === 'string' ? userStack(error.stack) : error.stack],
  ]
  for (const key of Object.keys(error)) {
    if (key !== 'name' && key !== 'message' && key !== 'stack') members.push([key, error[key]])
  }
  if (Object.hasOwn(error, 'cause')) members.push(['cause', error.cause])
  if (Array.isArray(error.errors)) members.push(['errors', error.errors])
  return members
}

function* mapMembers(map) {
  for (const [key, value] of map) yield [typeof key === 'string' ? key : String(key), value]
}

function describeBytes(value) {
  const bytes =
    value instanceof ArrayBuffer ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const shown = bytes.toString('hex', 0, BYTES_SHOWN) + (bytes.length > BYTES_SHOWN ? '…' : '')
  return `[${value.constructor?.name ?? 'Bytes'} ${bytes.length} bytes: ${shown}]`
}

function safeMessage(error) {
  try {
    return String(error?.message ?? error)
  } catch {
    return 'error'
  }
}
