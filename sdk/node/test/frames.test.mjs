import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Outgoing } from '../lib/bodies.mjs'
import { Decoder, encodeFrame, KIND, metaText, ProtocolError } from '../lib/frames.mjs'

const vectors = JSON.parse(readFileSync(new URL('../../protocol/frames.json', import.meta.url)))

const hexOf = (hex, then) => Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(then?.times ?? 0, then?.byte, 'hex')])

function decode(chunks) {
  const frames = []
  const decoder = new Decoder((kind, flags, id, meta, body) =>
    frames.push({ kind, flags, id, meta: structuredClone(meta), body: Buffer.from(body) }),
  )
  for (const chunk of chunks) decoder.push(chunk)
  return frames
}

for (const { name, hex, frame, then, decode_only } of vectors.valid) {
  const bytes = hexOf(hex, then)
  const expected = { ...frame, body: hexOf(frame.body_hex, then) }
  delete expected.body_hex
  test(`golden: ${name}`, () => {
    assert.deepEqual(decode([bytes]), [expected])
    if (!decode_only) {
      assert.deepEqual(encodeFrame(frame.kind, frame.flags, frame.id, frame.meta, expected.body), bytes)
    }
  })
}

for (const { name, hex, error } of vectors.invalid) {
  test(`golden: ${name} is refused (${error})`, () => {
    assert.throws(() => decode([Buffer.from(hex, 'hex')]), ProtocolError)
  })
}

for (const { bytes, frames } of vectors.bodies) {
  test(`golden: a body of ${bytes} bytes is cut as agreed`, () => {
    const sent = []
    const outgoing = new Outgoing((kind, flags, id, meta, body) =>
      sent.push({ kind: kind === KIND.DATA ? 'DATA' : 'message', flags, bytes: body.byteLength }),
    )
    outgoing.send(KIND.OP, 0, 1, '', Buffer.alloc(bytes))
    const expected = frames.flatMap(({ times, ...frame }) => Array(times).fill(frame))
    assert.deepEqual(sent, expected)
  })
}

test('frames may be split anywhere and share chunks', () => {
  const small = vectors.valid.filter(({ then }) => then === undefined)
  const stream = Buffer.concat(small.map(({ hex }) => Buffer.from(hex, 'hex')))
  const whole = decode([stream])
  assert.equal(whole.length, small.length)
  for (const size of [1, 2, 3, 5, 13, 14, 15, 64, 1000]) {
    const chunks = []
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size))
    assert.deepEqual(decode(chunks), whole, `chunks of ${size}`)
  }
})

test('a body is lent when it lies in the chunk, and owned when it was put together', () => {
  const frame = encodeFrame(KIND.PING, 0, 1, undefined, 'body')
  const borrowed = []
  const decoder = new Decoder((kind, flags, id, meta, body, lent) => borrowed.push(lent))
  decoder.push(Buffer.concat([frame, frame.subarray(0, 9)]))
  decoder.push(frame.subarray(9))
  assert.deepEqual(borrowed, [true, false])
})

test('half a surrogate pair in a meta becomes a replacement character, as strict parsers refuse it', () => {
  assert.equal(metaText({ message: 'a\ud83d b', at: [1] }), '{"message":"a\ufffd b","at":[1]}')
  assert.equal(metaText({ message: '\\ud83d' }), '{"message":"\\\\ud83d"}')
})

test('a meta that leaves no room for a body is refused before it is sent', () => {
  assert.throws(() => metaText({ topic: 'x'.repeat(900_000) }), /too long to be sent/)
})
