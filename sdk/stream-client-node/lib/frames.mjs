// WebSocket frames (RFC 6455, section 5.2), as a client reads and writes them.
import { randomBytes } from 'node:crypto'

export const [CONTINUATION, TEXT, CLOSE, PING, PONG] = [0, 1, 8, 9, 10]

const FINAL = 0x80
const MASKED = 0x80
const RESERVED = 0x70

/** The bytes of a whole frame, masked, as a client's must be. */
export function writeFrame(opcode, payload) {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = FINAL | opcode
  head[1] = MASKED | (head.length === 2 ? length : head.length === 4 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  const mask = randomBytes(4)
  const masked = Buffer.from(payload)
  for (let at = 0; at < length; at += 1) masked[at] ^= mask[at & 3]
  return Buffer.concat([head, mask, masked])
}

/** Cuts bytes, however they come, into frames. Throws where they are none that a server may send. */
export class FrameReader {
  #chunks = []
  #length = 0
  /** There is no frame before so many bytes are there: a long one is put together once, not with every chunk. */
  #needed = 2

  /** The frames that `chunk` makes whole: `{opcode, final, payload}`. */
  push(chunk) {
    const frames = []
    this.#chunks.push(chunk)
    this.#length += chunk.length
    while (this.#length >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#length)
      const { start, end, ...frame } = readHead(bytes)
      this.#needed = end
      const whole = bytes.length >= end
      this.#keep(whole ? bytes.subarray(end) : bytes)
      if (!whole) continue
      this.#needed = 2
      frames.push({ ...frame, payload: bytes.subarray(start, end) })
    }
    return frames
  }

  #keep(bytes) {
    this.#chunks = [bytes]
    this.#length = bytes.length
  }
}

/** Where the payload starts and ends, as far as the bytes say it. */
function readHead(bytes) {
  if (bytes[0] & RESERVED || bytes[1] & MASKED) throw new Error('The server sent no frame of a server')
  const frame = { opcode: bytes[0] & 15, final: (bytes[0] & FINAL) !== 0 }
  const short = bytes[1]
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start) return { ...frame, start, end: start }
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  return { ...frame, start, end: start + length }
}
