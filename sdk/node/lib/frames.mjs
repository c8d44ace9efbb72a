// The frame codec of sdk/protocol/README.md: bytes to frames and back. It knows nothing of what the frames mean.
import { isUtf8 } from 'node:buffer'

export const KIND = Object.freeze({
  LOAD: 0x01,
  STREAMS: 0x02,
  CALL: 0x03,
  CANCEL: 0x04,
  REPLY: 0x05,
  PING: 0x06,
  STOP: 0x07,
  INSPECT: 0x08,
  DATA: 0x21,
  WINDOW: 0x22,
  ABORT: 0x23,
  HELLO: 0x41,
  IMPORTING: 0x42,
  IMPORTED: 0x43,
  REFUSED: 0x44,
  READY: 0x45,
  RESULT: 0x46,
  OP: 0x47,
  LOG: 0x48,
  PONG: 0x49,
  RETIRE: 0x4a,
})

export const MORE = 0x01
export const ANSWER = 0x02

/** Bytes before the meta: length, kind, flags, id, meta length. */
export const HEADER = 14
/** The largest value of the length field, which does not count itself. */
export const MAX_LENGTH = 1_048_576
/** A body up to here travels in its message's own frame. */
export const INLINE_BODY = 262_144
/** The largest piece of a longer body. */
export const CHUNK = 65_536
/** How far a sender may be ahead of its receiver, per message. */
export const WINDOW = 1_048_576
/** The largest meta that leaves room for an inline body. */
export const MAX_META = MAX_LENGTH - (HEADER - 4) - INLINE_BODY

const KNOWN_FLAGS = MORE | ANSWER
const EMPTY_META = Object.freeze({})

/** The other side broke the protocol. There is no way to find the next frame after that, so the connection ends. */
export class ProtocolError extends Error {
  name = 'ProtocolError'
}

/** Cuts a byte stream, whatever its chunks, into frames. */
export class Decoder {
  #onFrame
  /** A frame that began in an earlier chunk: only its length field at first, all of it once the length is known. */
  #partial = null
  #filled = 0

  /**
   * `onFrame(kind, flags, id, meta, body, borrowed)`: when `borrowed`, `body` is a view of the chunk and must be copied
   * by whoever keeps it beyond the callback.
   */
  constructor(onFrame) {
    this.#onFrame = onFrame
  }

  push(chunk) {
    let at = 0
    while (at < chunk.length) {
      if (this.#partial === null) {
        const end = chunk.length - at < 4 ? Infinity : at + 4 + readLength(chunk, at)
        if (end <= chunk.length) {
          this.#emit(chunk, at, end, true)
          at = end
          continue
        }
        this.#partial = Buffer.allocUnsafeSlow(end === Infinity ? 4 : end - at)
        this.#filled = 0
      }
      at = this.#fill(chunk, at)
    }
  }

  #fill(chunk, at) {
    const taken = chunk.copy(this.#partial, this.#filled, at)
    this.#filled += taken
    if (this.#filled === this.#partial.length) this.#complete()
    return at + taken
  }

  #complete() {
    const bytes = this.#partial
    if (bytes.length === 4) {
      // Only the length field was awaited. It is at least 10, so this was not the whole frame.
      this.#partial = Buffer.allocUnsafeSlow(4 + readLength(bytes, 0))
      bytes.copy(this.#partial)
      return
    }
    this.#partial = null
    this.#emit(bytes, 0, bytes.length, false)
  }

  #emit(bytes, start, end, borrowed) {
    const flags = bytes[start + 5]
    if (flags & ~KNOWN_FLAGS) throw new ProtocolError(`unknown flags 0x${flags.toString(16)}`)
    const bodyAt = start + HEADER + bytes.readUInt32LE(start + 10)
    if (bodyAt > end) throw new ProtocolError('the meta is longer than its frame')
    const meta = bodyAt === start + HEADER ? EMPTY_META : parseMeta(bytes, start + HEADER, bodyAt)
    this.#onFrame(bytes[start + 4], flags, bytes.readUInt32LE(start + 6), meta, bytes.subarray(bodyAt, end), borrowed)
  }
}

function readLength(bytes, at) {
  const length = bytes.readUInt32LE(at)
  if (length < HEADER - 4 || length > MAX_LENGTH) throw new ProtocolError(`a frame of ${length} bytes`)
  return length
}

function parseMeta(bytes, start, end) {
  const text = bytes.utf8Slice(start, end)
  // Decoding puts U+FFFD in the place of bytes that are not UTF-8; only then is it worth a second look.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)))
    throw new ProtocolError('a meta that is not UTF-8')
  let meta
  try {
    meta = JSON.parse(text)
  } catch {
    throw new ProtocolError('a meta that is not JSON')
  }
  if (meta === null || typeof meta !== 'object' || Array.isArray(meta)) {
    throw new ProtocolError('a meta that is not a JSON object')
  }
  return meta
}

/** JSON text of a meta: an object, or text that is ready already. The empty object is written as nothing. */
export function metaText(meta) {
  if (meta === undefined || typeof meta === 'string') return meta ?? ''
  let text = JSON.stringify(meta)
  // Half a surrogate pair is legal JSON to JavaScript and an error to stricter parsers. It is written as \ud…
  if (text.includes('\\ud')) text = JSON.stringify(meta, (_, v) => (typeof v === 'string' ? v.toWellFormed() : v))
  if (text.length > MAX_META / 3 && Buffer.byteLength(text) > MAX_META) {
    throw new RangeError(`names and headers of ${text.length} characters are too long to be sent`)
  }
  return text === '{}' ? '' : text
}

/** An upper bound of a frame's size, cheap to get: no UTF-16 unit takes more than three bytes. */
export function frameBound(meta, body) {
  return HEADER + meta.length * 3 + (typeof body === 'string' ? body.length * 3 : (body?.byteLength ?? 0))
}

/**
 * Writes a frame into `target`, which has room for it, and returns where it ends. `meta` is text, `body` text or
 * bytes.
 */
export function writeFrame(target, start, kind, flags, id, meta, body) {
  let at = start + HEADER
  if (meta !== '') at += target.utf8Write(meta, at)
  target.writeUInt32LE(at - start - HEADER, start + 10)
  if (typeof body === 'string') {
    if (body !== '') at += target.utf8Write(body, at)
  } else if (body !== undefined) {
    target.set(body, at)
    at += body.byteLength
  }
  target.writeUInt32LE(at - start - 4, start)
  target[start + 4] = kind
  target[start + 5] = flags
  target.writeUInt32LE(id, start + 6)
  return at
}

/** One frame in a buffer of its own. */
export function encodeFrame(kind, flags, id, meta, body) {
  const text = metaText(meta)
  const bytes = Buffer.allocUnsafe(frameBound(text, body))
  return bytes.subarray(0, writeFrame(bytes, 0, kind, flags, id, text, body))
}
