// Responses whose bodies come bit by bit.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ANSWER, Engine, KIND, MORE, step } from './support/engine.mjs'

const wait = 'const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))\n'
const streaming = (body, headers = '') =>
  wait + step(`async (req, ctx) => ({ status: 200, headers: { ${headers} }, body: (${body}) })`)

const FILES = {
  'text.mjs': streaming(`async function* () { yield 'grü'; await wait(1); yield ''; yield 'ße' }()`),
  'bytes.mjs': streaming(
    `async function* () { yield new Uint8Array([1]); yield new Uint16Array([2]); yield new ArrayBuffer(1) }()`,
  ),
  'web.mjs': streaming(`new ReadableStream({ start(c) { c.enqueue('a'); c.enqueue('b'); c.close() } })`),
  'node.mjs': `import { Readable } from 'node:stream'\n${streaming("Readable.from(['a', 'b'])")}`,
  'missing.mjs': `import { createReadStream } from 'node:fs'\n${streaming("createReadStream('/not/there')")}`,
  'empty.mjs': streaming('async function* () {}()'),
  'object.mjs': streaming('async function* () { yield { a: 1 } }()'),
  'late-object.mjs': streaming(`async function* () { yield 'a'; yield { a: 1 } }()`),
  'throws.mjs': streaming(
    `async function* () { yield 'a'; throw new TypeError('boom') }()`,
    `'Content-Type': 'text/plain'`,
  ),
  'writes.mjs': streaming(`async function* () {
    yield 'a'
    await ctx.state.set('g', 'k', 1)
    yield 'b'
    ctx.state.set('g', 'k', 2)
  }()`),
  'loses.mjs': streaming(`async function* () { yield 'a'; ctx.emit({ topic: 't' }) }()`),
  'endless.mjs': streaming(
    `async function* () {
    try {
      for (let n = 0; ; n++) { ctx.logger.info('pulled', { n }); yield 'x'.repeat(65536) }
    } finally {
      await ctx.state.set('g', 'over', ctx.signal.aborted)
    }
  }()`,
    `'content-type': 'text/plain'`,
  ),
  'waits.mjs': streaming(
    `new ReadableStream({ cancel() { ctx.logger.info('cancelled') } })`,
    `'content-type': 'text/plain'`,
  ),
  'burst.mjs': streaming(
    `async function* () { for (let n = 0; n < 2000; n++) yield 'x' }()`,
    `'content-type': 'text/plain'`,
  ),
  'response.mjs':
    wait +
    step(`async () => new Response(new ReadableStream({
    async start(c) { c.enqueue(Buffer.from('a')); await wait(20); c.enqueue(Buffer.from('b')); c.close() } }))`),
  'at-once.mjs': step(`async () => Response.json({ a: 1 })`),
}

let engine
before(async () => {
  engine = new Engine({ files: FILES })
  await engine.load(...Object.keys(FILES))
})
after(() => engine.close())

const isAnswer = (id) => (f) => f.id === id && (f.kind === KIND.DATA || f.kind === KIND.ABORT) && f.flags & ANSWER
const isEnd = (id) => (f) => isAnswer(id)(f) && !(f.flags & MORE)

/** The head, the chunks and how they end. */
async function streamed(file) {
  const id = engine.start(file)
  const head = await engine.result(id)
  assert.equal(head.meta.stream, true, JSON.stringify(head.meta))
  assert.equal(head.flags & MORE, MORE)
  const end = await engine.frame(isEnd(id))
  const chunks = engine.frames.filter((f) => isAnswer(id)(f) && f.body.length > 0).map((f) => f.body)
  return { id, head: head.meta, chunks, text: Buffer.concat(chunks).toString(), end }
}

test('every kind of stream is sent chunk by chunk, and its first chunk says what it is', async () => {
  for (const [file, type, text, count] of [
    ['text.mjs', 'text', 'grüße', 2],
    ['bytes.mjs', 'bytes', '\x01\x02\0\0', 3],
    ['web.mjs', 'text', 'ab', 2],
    ['node.mjs', 'text', 'ab', 2],
    ['empty.mjs', 'bytes', '', 0],
    ['response.mjs', 'bytes', 'ab', 2],
    ['burst.mjs', 'bytes', 'x'.repeat(2000), 2000],
  ]) {
    const got = await streamed(file)
    assert.deepEqual([got.head.type, got.text, got.chunks.length, got.end.kind], [type, text, count, KIND.DATA], file)
  }
})

test('a web Response that is there at once is sent whole', async () => {
  const { meta, body } = await engine.call('at-once.mjs')
  assert.deepEqual([meta.stream, body.toString()], [undefined, '{"a":1}'])
})

test('what fails before the first chunk fails the call', async () => {
  const object = (await engine.call('object.mjs')).meta.error
  assert.match(object.message, /the response's stream yielded an object; a chunk is a string or bytes.*JSON.stringify/)
  assert.equal((await engine.call('missing.mjs')).meta.error.code, 'ENOENT')
})

test('what fails after that breaks the response off and says why', async () => {
  for (const [file, message] of [
    ['late-object.mjs', /yielded an object/],
    ['throws.mjs', /^boom$/],
  ]) {
    const { text, end } = await streamed(file)
    assert.deepEqual([text, end.kind], ['a', KIND.ABORT])
    assert.match(end.meta.error.message, message)
  }
})

test('operations belong to the call until its end, which waits for them', async () => {
  const { id, end } = await streamed('writes.mjs')
  const ops = engine.ops.filter((op) => op.call === id)
  assert.deepEqual(
    ops.map(({ op, value, step }) => [op, value, step]),
    [
      ['state.set', 1, undefined],
      ['state.set', 2, undefined],
    ],
  )
  const last = engine.frames.findIndex((f) => f.kind === KIND.OP && f.id === ops[1].number)
  assert.ok(last >= 0 && last < engine.frames.indexOf(end))
})

test('an operation that fails and that nobody awaits breaks the response off', async () => {
  engine.onOp = ({ op }) => (op === 'emit' ? { error: { code: 'no', message: 'not now' } } : undefined)
  const { end } = await streamed('loses.mjs')
  engine.onOp = () => undefined
  assert.deepEqual([end.kind, end.meta.error.code], [KIND.ABORT, 'no'])
})

test('a stream is pulled no further than the window, and cancelled', async () => {
  const id = engine.start('endless.mjs')
  await engine.result(id)
  const sent = () => engine.frames.filter((f) => isAnswer(id)(f)).reduce((sum, f) => sum + f.body.length, 0)
  await engine.frame(() => sent() === 1_048_576)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const pulled = engine.logs.filter(({ message }) => message === 'pulled').length
  assert.deepEqual([sent(), pulled], [1_048_576, 17], 'one more chunk waits for the window')
  engine.send(KIND.CANCEL, 0, id, { reason: 'disconnect' })
  const end = await engine.frame(isEnd(id))
  assert.deepEqual([end.kind, end.meta], [KIND.ABORT, {}])
  const over = engine.ops.find(({ key }) => key === 'over')
  assert.deepEqual([over.value, over.call], [true, id], 'its clean-up belongs to the call')
})

test('a stream of which a chunk is awaited is cancelled too', async () => {
  const id = engine.start('waits.mjs')
  await engine.result(id)
  engine.send(KIND.CANCEL, 0, id, { reason: 'timeout' })
  await engine.log(({ message }) => message === 'cancelled')
  assert.equal((await engine.frame(isEnd(id))).kind, KIND.ABORT)
})

test('STOP waits for the end of a stream', async () => {
  const other = new Engine({ files: { 'text.mjs': FILES['text.mjs'] } })
  try {
    await other.load('text.mjs')
    const id = other.start('text.mjs')
    other.send(KIND.STOP, 0, 0)
    await other.frame(isEnd(id))
    assert.deepEqual(await other.exit, { code: 0, signal: null })
  } finally {
    await other.close()
  }
})
