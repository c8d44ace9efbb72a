// Who comes and goes: `onJoin` and `onLeave` of streams.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Engine, hold, KIND, step, withEngine } from './support/engine.mjs'

const stream = (members) =>
  `export const config = { name: 'chat', schema: {}, baseConfig: { storageType: 'default' }, ${members} }\n`

const FILES = {
  'room.stream.mjs': stream(`
    onJoin: async ({ groupId, id }, user, { emit, state, streams, logger, traceId, flows, signal, sync }) => {
      logger.info('came', { groupId, id, user, traceId, flows, aborted: signal.aborted })
      await emit({ topic: 'chat.joined', data: { groupId } })
      await streams.chat.set(groupId, user.name, { here: true })
      await sync()
      return { dropped: true }
    },
    onLeave: (subscription, user, { state }) => { state.delete('here', user.name) }`),
  'few.stream.mjs': stream(`
    onJoin({ groupId }) { console.log(this.name, groupId, arguments.length) },
    onLeave: (...all) => console.log(all.length, all[1])`),
  'throws.stream.mjs': stream(`
    onJoin: () => { throw Object.assign(new RangeError('full'), { code: 'E_FULL' }) },
    onLeave: async (subscription, { name }) => name`),
  'join.stream.mjs': stream('onJoin: () => {}, onLeave: null'),
  'both.stream.mjs': stream(`canAccess: (subscription, ...rest) => rest.length === 1, onLeave: () => {}`),
  'guarded.stream.mjs': stream('canAccess: () => true'),
  'undefined.stream.mjs': stream('onJoin: undefined, onLeave: undefined'),
  'lost.stream.mjs': stream(`onJoin: (_, user, { emit }) => { emit({ topic: 'unheard' }) }`),
  'exits.stream.mjs': stream('onLeave: () => process.exit(1)'),
  'whole.stream.cjs': `module.exports = { config: { name: 'w', schema: {}, onJoin: (_, user, ctx) => ctx.sync() } }`,
  'a.mjs': step('(req) => ({ status: 200, body: true })'),
}

let engine
let loaded
before(async () => {
  engine = new Engine({ files: FILES })
  engine.send(KIND.STREAMS, 0, 0, undefined, '["chat"]')
  engine.onOp = ({ op, topic }) => {
    if (topic === 'unheard') return { error: { code: 'store-failed', message: 'the disk is full' } }
    if (op === 'stream.set') return { id: 'ada', here: true }
    return op === 'emit' ? { id: 'e1' } : null
  }
  loaded = await engine.load(...Object.keys(FILES))
  for (const [source, { refused }] of Object.entries(loaded)) assert.equal(refused, undefined, source)
})
after(() => engine.close())

const start = (kind, source, context = null, subscription = { groupId: 'g' }) =>
  engine.start(source, { kind }, JSON.stringify({ subscription, context }))
const tell = async (...visit) => (await engine.result(start(...visit))).meta

test('onJoin gets what is watched, who it is, and the context of a handler', async () => {
  const id = start('join', 'room.stream.mjs', { name: 'ada' }, { groupId: 'inbox', id: 'i' })
  const { meta, body } = await engine.result(id)
  assert.deepEqual([meta, body.length], [{}, 0])
  const said = engine.logs.find(({ message }) => message === 'came')
  assert.deepEqual([said.call, said.source], [id, 'logger'])
  const traceId = 'AUSDA-1060748'
  assert.deepEqual(said.details, {
    ...{ groupId: 'inbox', id: 'i', user: { name: 'ada' } },
    ...{ traceId, flows: [], aborted: false },
  })
  const ops = engine.ops.filter(({ call }) => call === id).map(({ op, topic, group }) => [op, topic ?? group])
  assert.deepEqual(ops, [
    ['emit', 'chat.joined'],
    ['stream.set', 'inbox'],
    ['sync', undefined],
  ])
})

test('onLeave as well; its result waits for what it did not await', async () => {
  const { onOp } = engine
  engine.onOp = () => hold
  const id = start('leave', 'room.stream.mjs', { name: 'ada' })
  const { meta, id: op } = await engine.frame((f) => f.kind === KIND.OP && f.meta.call === id)
  engine.onOp = onOp
  assert.deepEqual([meta.op, meta.key], ['state.delete', 'ada'])
  assert.ok(!engine.frames.some((f) => f.kind === KIND.RESULT && f.id === id))
  engine.reply(op, null)
  assert.deepEqual((await engine.result(id)).meta, {})
})

test('they get as much as they take', async () => {
  const joined = start('join', 'few.stream.mjs')
  const left = start('leave', 'few.stream.mjs')
  for (const id of [joined, left]) assert.deepEqual((await engine.result(id)).meta, {})
  const printed = (id) => engine.logs.filter(({ call }) => call === id).map(({ message }) => message)
  assert.deepEqual([printed(joined), printed(left)], [['chat g 3'], ['3 null']])
  assert.deepEqual(await tell('join', 'whole.stream.cjs'), {})
})

test('what they throw is an error with the user’s line', async () => {
  const { error } = await tell('join', 'throws.stream.mjs')
  assert.deepEqual([error.name, error.message, error.code], ['RangeError', 'full', 'E_FULL'])
  assert.match(error.stack, /throws\.stream\.mjs:\d+/)
  assert.equal((await tell('leave', 'throws.stream.mjs')).error.name, 'TypeError')
  assert.equal((await tell('join', 'lost.stream.mjs')).error.message, 'the disk is full')
})

test('canAccess is asked as ever', async () => {
  const { meta, body } = await engine.result(start('access', 'both.stream.mjs'))
  assert.deepEqual([meta, String(body)], [{ type: 'json' }, 'true'])
})

test('a file is called only for what it has', async () => {
  for (const [kind, source, message] of [
    ['leave', 'join.stream.mjs', 'join.stream.mjs has no onLeave'],
    ['access', 'join.stream.mjs', 'join.stream.mjs has no canAccess'],
    ['join', 'guarded.stream.mjs', 'guarded.stream.mjs has no onJoin'],
    ['join', 'undefined.stream.mjs', 'undefined.stream.mjs has no onJoin'],
    ['join', 'a.mjs', 'a.mjs has no onJoin'],
    ['leave', 'nope.stream.mjs', 'nope.stream.mjs is not loaded'],
    ['event', 'join.stream.mjs', 'join.stream.mjs exports no handler'],
    ['constructor', 'a.mjs', "a.mjs has nothing for calls of the kind 'constructor'"],
  ]) {
    assert.deepEqual(await tell(kind, source), { error: { message, code: 'step-unknown' } })
  }
})

test('IMPORTED names them in the config, and `handler` tells of canAccess alone', () => {
  const of = (source) => {
    const { handler, config, warnings } = loaded[source]
    return [handler, config.canAccess, config.onJoin, config.onLeave, warnings]
  }
  assert.deepEqual(of('room.stream.mjs'), [false, undefined, true, true, []])
  assert.deepEqual(of('join.stream.mjs'), [false, undefined, true, null, []])
  assert.deepEqual(of('both.stream.mjs'), [true, true, undefined, true, []])
  assert.deepEqual(of('guarded.stream.mjs'), [true, true, undefined, undefined, []])
  const warnings = [
    'config.onJoin is undefined, so nothing hears of those who come',
    'config.onLeave is undefined, so nothing hears of those who go',
  ]
  assert.deepEqual(of('undefined.stream.mjs'), [false, undefined, undefined, undefined, warnings])
})

test('what is no function is refused', async () => {
  const files = { 'text.stream.mjs': stream(`onJoin: 'greet'`), 'false.stream.mjs': stream('onLeave: false') }
  engine.write(files)
  const said = await engine.load(...Object.keys(files))
  const must = (name, what) => `config.${name} must be a function, but it is ${what}`
  assert.equal(said['text.stream.mjs'].refused.message, must('onJoin', 'the string "greet"'))
  assert.equal(said['false.stream.mjs'].refused.message, must('onLeave', 'a boolean'))
})

test('an exit in one fails its call, and the worker retires', () =>
  withEngine({ files: FILES }, async (own) => {
    await own.load('exits.stream.mjs')
    const body = JSON.stringify({ subscription: { groupId: 'g' }, context: null })
    const { meta } = await own.call('exits.stream.mjs', { kind: 'leave' }, body)
    assert.equal(meta.error.name, 'ProcessExit')
    const retired = await own.frame(({ kind }) => kind === KIND.RETIRE)
    assert.equal(retired.meta.reason, 'process.exit was called in exits.stream.mjs')
  }))
