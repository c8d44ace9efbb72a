import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Incoming, Outgoing } from '../lib/bodies.mjs'
import { ANSWER, CHUNK, KIND, MORE, WINDOW } from '../lib/frames.mjs'

const MiB = 1024 * 1024
const pattern = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251))

/** A sender wired to a receiver, as over a stream. */
function pair() {
  const wire = { frames: [], received: undefined, grants: 0, meta: {} }
  const outgoing = new Outgoing((kind, flags, id, meta, body) => wire.frames.push({ kind, flags, id, body }))
  const incoming = new Incoming((kind, flags, id, meta) => {
    wire.grants++
    outgoing.granted(id, flags, JSON.parse(meta).bytes)
  })
  wire.outgoing = outgoing
  wire.deliver = () => {
    while (wire.frames.length > 0) {
      const { kind, flags, id, body } = wire.frames.shift()
      if (kind === KIND.ABORT) wire.aborted = incoming.abort(flags, id)
      else if (kind !== KIND.DATA) incoming.begin(kind, flags & ANSWER, id, wire.meta, body)
      else wire.received = incoming.data(flags, id, body) ?? wire.received
    }
  }
  return wire
}

test('a long body arrives whole, and the promise says when it is out', async () => {
  const wire = pair()
  const body = pattern(5 * MiB + 17)
  const sent = wire.outgoing.send(KIND.OP, 0, 7, '', body)
  assert.ok(sent instanceof Promise)
  wire.deliver()
  await sent
  assert.equal(wire.received.kind, KIND.OP)
  assert.ok(wire.received.body.equals(body))
  assert.ok(wire.outgoing.idle)
  assert.ok(wire.grants < 25, `${wire.grants} grants are too many`)
})

test('the sender stops at the window', () => {
  const wire = pair()
  wire.outgoing.send(KIND.OP, 0, 1, '', pattern(3 * MiB))
  const ahead = () => wire.frames.reduce((sum, { body }) => sum + body.byteLength, 0)
  assert.equal(ahead(), WINDOW)
  wire.outgoing.granted(1, 0, 10)
  assert.equal(ahead(), WINDOW + 10, 'a grant smaller than a chunk is used too')
  assert.ok(wire.frames.every(({ flags, body }) => flags & MORE && body.byteLength <= CHUNK))
})

test('a question and an answer with the same number are two messages', async () => {
  const wire = pair()
  wire.outgoing.send(KIND.OP, 0, 3, '', pattern(2 * MiB))
  const answered = wire.outgoing.send(KIND.RESULT, ANSWER, 3, '', pattern(2 * MiB))
  wire.frames.length = 0
  wire.outgoing.granted(3, ANSWER, WINDOW)
  await answered
  assert.ok(wire.frames.every(({ flags }) => flags & ANSWER))
  assert.ok(!wire.outgoing.idle, 'the question still waits')
})

test('text is cut by its bytes, not by its characters', () => {
  const wire = pair()
  const text = '€'.repeat(100_000)
  wire.outgoing.send(KIND.OP, 0, 1, '', text)
  wire.deliver()
  assert.equal(wire.received.body.toString(), text)
})

test('an aborted message ends on both sides', async () => {
  const wire = pair()
  const sent = wire.outgoing.send(KIND.OP, 0, 1, '', pattern(2 * MiB))
  wire.outgoing.abort(1, 0)
  await sent
  assert.ok(wire.outgoing.idle)
  assert.equal(wire.frames.at(-1).kind, KIND.ABORT)
  wire.deliver()
  assert.equal(wire.received, undefined)
})

test('a body of a known length is held once, and one that is longer or shorter than was said arrives all the same', () => {
  const body = pattern(2 * MiB + 5)
  for (const [length, once] of [
    [body.length, true],
    [body.length - 70_000, false],
    [body.length + 70_000, true],
    [2 ** 53 - 1, false],
    ['x', false],
  ]) {
    const wire = pair()
    wire.meta = { length }
    wire.outgoing.send(KIND.CALL, 0, 1, '', body)
    const pieces = wire.frames.map((frame) => frame.body.buffer)
    wire.deliver()
    const { received } = wire
    assert.ok(received.body.equals(body), String(length))
    assert.equal(received.body.buffer.byteLength === length, once, String(length))
    assert.ok(!pieces.includes(received.body.buffer))
    assert.equal(received.pieces, undefined, 'nothing else holds it')
  }
})
