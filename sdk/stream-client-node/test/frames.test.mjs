import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameReader, TEXT, writeFrame } from '../lib/frames.mjs'

/** A frame as a server writes it. */
function serverFrame(payload, { opcode = TEXT, final = true } = {}) {
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10)
  head[0] = (final ? 0x80 : 0) | opcode
  head[1] = head.length === 2 ? payload.length : head.length === 4 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(payload.length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]

test('frames are read, however their bytes come', () => {
  const payloads = LENGTHS.map((length) => Buffer.alloc(length, 'x'))
  const bytes = Buffer.concat(payloads.map((payload) => serverFrame(payload)))
  for (const size of [1, 2, 3, 7, 1000, bytes.length]) {
    const reader = new FrameReader()
    const read = []
    for (let at = 0; at < bytes.length; at += size) read.push(...reader.push(bytes.subarray(at, at + size)))
    assert.deepEqual(
      read.map(({ payload }) => payload.length),
      LENGTHS,
      `in pieces of ${size}`,
    )
  }
})

test('frames are written masked', () => {
  for (const length of LENGTHS) {
    const bytes = writeFrame(TEXT, Buffer.alloc(length, 'y'))
    const start = length < 126 ? 2 : length < 65_536 ? 4 : 10
    assert.equal(bytes.length, start + 4 + length)
    assert.equal(bytes[0], 0x81)
    assert.equal(bytes[1] & 0x80, 0x80)
    const mask = bytes.subarray(start, start + 4)
    const payload = bytes.subarray(start + 4).map((byte, at) => byte ^ mask[at & 3])
    assert.ok(payload.every((byte) => byte === 'y'.charCodeAt(0)))
  }
})

test('what no server may send ends it', () => {
  assert.throws(() => new FrameReader().push(Buffer.from([0xc1, 0])), /no frame/)
  assert.throws(() => new FrameReader().push(writeFrame(TEXT, Buffer.from('masked'))), /no frame/)
})
