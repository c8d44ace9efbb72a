// What ctx.emit, ctx.state and ctx.streams put on the wire, and what they give back.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Engine, KIND, step } from './support/engine.mjs'

// One step that runs the code it is sent, so that each test shows its own.
const RUN = step(`async (req, ctx) => {
  const { emit, state, streams, logger, sync } = ctx
  const result = await eval('(async () => {' + req.body.code + '})()')
  return { status: 200, body: { result, undefined: result === undefined } }
}`)

let engine
before(async () => {
  engine = new Engine({ files: { 'run.mjs': RUN } })
  engine.send(KIND.STREAMS, 0, 0, undefined, '["chat"]')
  await engine.load('run.mjs')
})
beforeEach(() => {
  engine.ops.length = 0
  engine.onOp = () => undefined
})
after(() => engine.close())

/** Runs `code` in a handler: {result, op} with what the last operation carried, or {error}. */
async function run(code, onOp) {
  if (onOp !== undefined) engine.onOp = onOp
  const { body, error } = await engine.json('run.mjs', { code })
  const { number, call, ...op } = engine.ops.at(-1) ?? {}
  return { result: body?.result, none: body?.undefined, error, op }
}

test('emit: in both forms, with and without a group', async () => {
  assert.deepEqual(await run(`return emit({ topic: 'a', data: { n: undefined, m: 1 } })`), {
    result: { id: '', repeated: false },
    none: false,
    error: undefined,
    op: { op: 'emit', topic: 'a', value: { m: 1 } },
  })
  assert.deepEqual((await run(`await emit('b', [1])`)).op, { op: 'emit', topic: 'b', value: [1] })
  assert.deepEqual((await run(`await emit({ topic: 'c', data: null, messageGroupId: 7 })`)).op, {
    op: 'emit',
    topic: 'c',
    group: '7',
    value: null,
  })
  // As the original: said, and nothing more.
  engine.ops.length = 0
  const { op, error } = await run(`return emit({ type: 'old', data: 1 })`)
  assert.deepEqual([op, error], [{}, undefined])
  assert.match(engine.logs.at(-1).message, /^emit was called without a topic/)
  assert.deepEqual((await run(`await emit({ topic: 'd' })`)).op, { op: 'emit', topic: 'd', value: undefined })
  assert.deepEqual((await run(`await emit({ topic: 'e', messageGroupId: null })`)).op, {
    op: 'emit',
    topic: 'e',
    value: undefined,
  })
})

test('emit: when, how urgent, how often', async () => {
  const emit = async (more) => (await run(`await emit({ topic: 't', ${more} })`)).op
  const plain = { op: 'emit', topic: 't', value: undefined }
  assert.deepEqual(await emit(`delay: '15m', priority: 5`), { ...plain, delay: '15m', priority: 5 })
  assert.deepEqual(await emit(`at: new Date(1000)`), { ...plain, at: 1000 })
  assert.deepEqual(await emit(`at: '2026-11-25T09:00:00Z'`), { ...plain, at: '2026-11-25T09:00:00Z' })
  assert.deepEqual(await emit(`delay: 0, at: null, priority: null`), { ...plain, delay: 0 })
  assert.deepEqual(await emit(`idempotencyKey: 5`), { ...plain, once: '5' })
})

test('emit resolves with the event, which can be taken back', async () => {
  const answers = { emit: { id: '7-1', repeated: true }, cancel: 1 }
  const onOp = ({ op }) => answers[op]
  const { result, op } = await run(
    `const event = await emit({ topic: 't' }); return [event, await event.cancel(), await ctx.events.cancel('8-1')]`,
    onOp,
  )
  assert.deepEqual(result, [{ id: '7-1', repeated: true }, true, true])
  assert.deepEqual(op, { op: 'cancel', event: '8-1', value: undefined })
  answers.cancel = 0
  assert.equal((await run(`return ctx.events.cancel('8-1')`, onOp)).result, false)
})

test('state: lifetimes, revisions, updates, lists', async () => {
  const at = { group: 'g', key: 'k' }
  const op = async (code) => (await run(`await state.${code}`)).op
  assert.deepEqual(await op(`set('g', 'k', 1, { ttl: '1m' })`), { op: 'state.set', ...at, ttl: '1m', value: 1 })
  assert.deepEqual(await op(`entry('g', 'k')`), { op: 'state.entry', ...at, value: undefined })
  assert.deepEqual(await op(`setIfRevision('g', 'k', 2, 7)`), { op: 'state.setIf', ...at, expected: 7, value: 2 })
  assert.deepEqual(await op(`setIfRevision('g', 'k', 2, null, { ttl: 5 })`), {
    op: 'state.setIf',
    ...at,
    ttl: 5,
    value: 2,
  })
  const changes = `[{ type: 'increment', path: 'n' }]`
  assert.deepEqual(await op(`update('g', 'k', ${changes})`), {
    op: 'state.update',
    ...at,
    value: [{ type: 'increment', path: 'n' }],
  })
  assert.deepEqual(await op(`listKeys('g')`), { op: 'state.listKeys', group: 'g', value: undefined })
  assert.deepEqual(await op(`listGroups()`), { op: 'state.listGroups', value: undefined })
})

test('state: get, set, delete, getGroup, clear', async () => {
  assert.deepEqual(await run(`return state.get('g', 'k')`, () => ({ a: 1 })), {
    result: { a: 1 },
    none: false,
    error: undefined,
    op: { op: 'state.get', group: 'g', key: 'k', value: undefined },
  })
  assert.equal((await run(`return state.get('g', 'k')`, () => null)).result, null)
  const set = await run(`return state.set('Org/repo', 42, { at: new Date(0), gone: undefined })`, () => undefined)
  assert.deepEqual(set.op, { op: 'state.set', group: 'Org/repo', key: '42', value: { at: '1970-01-01T00:00:00.000Z' } })
  assert.deepEqual(set.result, { at: '1970-01-01T00:00:00.000Z' })
  assert.equal((await run(`return state.delete('g', 'k')`, () => 'old')).result, 'old')
  assert.deepEqual((await run(`return state.getGroup('g')`, () => [1, 2])).result, [1, 2])
  assert.deepEqual(await run(`return state.clear('g')`, () => undefined), {
    result: undefined,
    none: true,
    error: undefined,
    op: { op: 'state.clear', group: 'g', value: undefined },
  })
})

test('there is no undefined in the store: it becomes null', async () => {
  const { op, result } = await run(`return state.set('g', 'k', undefined)`)
  assert.deepEqual([op.value, result], [null, null])
})

test('streams: items come back with their mark, and go without it', async () => {
  const stored = { text: 'hi', id: 'm1', _createdAt: 1 }
  const mark = { type: 'state-stream', streamName: 'chat', groupId: 'room', id: 'm1' }
  const item = { ...stored, __motia: mark }
  const set = await run(
    `const item = await streams.chat.get('room', 'm1'); return streams.chat.set('room', 'm1', { ...item, text: 'ho' })`,
    () => stored,
  )
  assert.deepEqual(set.op, {
    op: 'stream.set',
    stream: 'chat',
    group: 'room',
    id: 'm1',
    value: { text: 'ho', id: 'm1', _createdAt: 1 },
  })
  assert.deepEqual(set.result, item)
  assert.deepEqual((await run(`return streams.chat.getGroup('room')`, () => [stored])).result, [item])
  assert.deepEqual((await run(`return streams.chat.delete('room', 'm1')`, () => stored)).result, item)
  assert.equal((await run(`return streams.chat.get('room', 'm1')`, () => null)).result, null)
  assert.equal((await run(`return streams.chat.set('room', 'm1', null)`, () => null)).result, null)
})

test('streams: update, query, clear', async () => {
  const stored = { text: 'hi', id: 'm1', _createdAt: 1 }
  const item = { ...stored, __motia: { type: 'state-stream', streamName: 'chat', groupId: '7', id: 'm1' } }
  const at = { stream: 'chat', group: '7' }
  const update = await run(`return streams.chat.update(7, 'm1', [{ type: 'increment', path: 'n' }])`, () => stored)
  assert.deepEqual(update.op, { op: 'stream.update', ...at, id: 'm1', value: [{ type: 'increment', path: 'n' }] })
  assert.deepEqual(update.result, item)
  assert.equal((await run(`return streams.chat.update(7, 'm1', [{ type: 'remove' }])`, () => null)).result, null)

  const asked = {
    where: { done: false, due: { lt: 5 }, 'by.name': null },
    order: ['-due', 'title'],
    limit: 10,
    offset: 0,
  }
  const query = await run(`return streams.chat.query(7, ${JSON.stringify(asked)})`, () => [stored, stored])
  assert.deepEqual(query.op, { op: 'stream.query', ...at, value: asked })
  assert.deepEqual(query.result, [item, item])
  assert.deepEqual((await run(`return streams.chat.query(7)`, () => [])).op, {
    op: 'stream.query',
    ...at,
    value: undefined,
  })
  assert.equal((await run(`return streams.chat.query(7, null)`, () => [])).op.value, null)
  const { value } = (
    await run(`return streams.chat.query(7, { where: undefined, order: undefined, limit: 1 })`, () => [])
  ).op
  assert.deepEqual(value, { limit: 1 })

  const clear = await run(`return streams.chat.clear(7)`, () => 3)
  assert.deepEqual([clear.op, clear.result], [{ op: 'stream.clear', ...at, value: undefined }, 3])
})

test('a query asks for no more than was meant', async () => {
  for (const [query, problem] of [
    [`{ where: { owner: undefined } }`, `'owner' is undefined`],
    [`{ where: { owner: { eq: undefined } } }`, `'eq' is undefined`],
    [`{ where: { owner: { in: ['a', undefined] } } }`, `'1' is undefined`],
    [`{ where: { limit: undefined } }`, `'limit' is undefined`],
    [`{ where: { owner: () => 'ada' } }`, `'owner' is function`],
    [`{ where: { due: { lt: Infinity } } }`, `'lt' is Infinity`],
    [`{ limit: Number('x') }`, `'limit' is NaN`],
  ]) {
    engine.ops.length = 0
    const { error, op } = await run(`return streams.chat.query('room', ${query})`)
    assert.deepEqual([error?.message, op], [`stream.query: the data cannot be written as JSON: ${problem}`, {}], query)
  }
})

test('streams: send, with and without an item', async () => {
  const { op } = await run(`await streams.chat.send({ groupId: 'room' }, { type: 'typing', data: { who: 'ada' } })`)
  assert.deepEqual(op, {
    op: 'stream.send',
    stream: 'chat',
    group: 'room',
    value: { type: 'typing', data: { who: 'ada' } },
  })
  assert.equal((await run(`await streams.chat.send({ groupId: 'room', id: 5 }, { type: 't' })`)).op.id, '5')
})

test('sync', async () => {
  assert.deepEqual((await run('return sync()')).op, { op: 'sync', value: undefined })
})

test('names that are no text are mistakes, and are named', async () => {
  const mistakes = {
    [`await state.get('g')`]: 'state.get: key must be a string, not undefined',
    [`await state.set({}, 'k', 1)`]: 'state.set: group must be a string, not object',
    [`await streams.chat.get(null, 'k')`]: 'stream.get: group must be a string, not null',
    [`await streams.chat.update('g', undefined, [])`]: 'stream.update: id must be a string, not undefined',
    [`await streams.chat.query({ where: {} })`]: 'stream.query: group must be a string, not object',
    [`await streams.chat.clear()`]: 'stream.clear: group must be a string, not undefined',
    [`await streams.chat.query('g', () => {})`]: 'stream.query: a function has no JSON form',
    [`await streams.chat.send({}, {})`]: 'stream.send: group must be a string, not undefined',
    [`await emit()`]: 'emit: topic must be a string, not undefined',
    [`await emit({ topic: ['a'] })`]: 'emit: topic must be a string, not an array',
    [`await emit({ topic: 't', data: 1n })`]: /^emit: the data cannot be written as JSON: .*BigInt/,
    [`await state.set('g', 'k', () => {})`]: 'state.set: a function has no JSON form',
    [`await emit({ topic: 'x'.repeat(900000) })`]: /too long to be sent/,
  }
  for (const [code, message] of Object.entries(mistakes)) {
    const { error } = await run(code)
    if (typeof message === 'string') assert.equal(error?.message, message)
    else assert.match(error?.message, message)
    // They reject: they do not throw at someone who attached a catch, and fail the call of someone who did not.
    assert.equal((await run(`${code.replace('await ', '')}.catch(() => {})`)).error, undefined, code)
    assert.ok((await run(code.replace('await ', ''))).error, code)
  }
})

test('operations leave in the order in which they were made', async () => {
  const many = Array.from({ length: 50 }, (_, i) => `state.set('g', 'k${i}', ${i % 7 === 0 ? `'x'.repeat(50000)` : i})`)
  await engine.json('run.mjs', { code: `await Promise.all([${many}])` })
  assert.deepEqual(
    engine.ops.map(({ key }) => key),
    many.map((_, i) => `k${i}`),
  )
})

test('long data and long replies travel in pieces', async () => {
  const { result, op } = await run(
    `await state.set('g', 'k', 'x'.repeat(3e6)); return (await state.get('g', 'k')).length`,
    ({ op }) => (op === 'state.get' ? 'ž'.repeat(2e6) : undefined),
  )
  assert.equal(engine.ops[0].value.length, 3e6)
  assert.deepEqual([result, op.op], [2e6, 'state.get'])
})

test('a long operation that is refused early is not sent to its end', async () => {
  const before = engine.frames.length
  const id = engine.start('run.mjs', { content: 'json' }, JSON.stringify({ code: `await emit('t', 'x'.repeat(5e6))` }))
  const { id: number } = await engine.frame((f) => f.kind === KIND.OP && engine.frames.indexOf(f) >= before)
  engine.reply(number, { error: { code: 'too-large', message: 'an event has at most 4 MB' } })
  assert.equal((await engine.result(id)).meta.error.code, 'too-large')
  assert.ok(engine.frames.some((f) => f.kind === KIND.ABORT && f.id === number && f.flags === 0))
})

test('what JSON or UTF-8 would silently change is refused', async () => {
  for (const [code, message] of [
    [`emit({ topic: 't', delay: NaN })`, 'emit: delay must not be NaN'],
    [`emit({ topic: 't', delay: Infinity })`, 'emit: delay must not be Infinity'],
    [`emit({ topic: 't', at: new Date(NaN) })`, 'emit: at must not be NaN'],
    [`emit({ topic: 't', priority: NaN })`, 'emit: priority must not be NaN'],
    [`state.set('g', 'k', 1, { ttl: NaN })`, 'state.set: ttl must not be NaN'],
    [
      `emit({ topic: 't', idempotencyKey: 'x\\ud800' })`,
      'emit: once contains half a surrogate pair, which is no Unicode text',
    ],
    [`state.set('lone\\ud801', 'k', 1)`, 'state.set: group contains half a surrogate pair, which is no Unicode text'],
  ]) {
    engine.ops.length = 0
    const { error, op } = await run(`return ${code}`)
    assert.deepEqual([error?.message, op], [message, {}], code)
  }
  assert.equal((await run(`return state.setIfRevision('g', 'k', 2)`)).op.expected, 'undefined')
})
