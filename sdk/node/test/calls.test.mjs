// Calls, from CALL to RESULT: handlers, middleware, operations, cancellation.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Engine, hold, KIND, MORE, step } from './support/engine.mjs'

const MIDDLEWARE = `
  const outer = async (req, ctx, next) => {
    req.trail = ['outer']
    ctx.user = 'ada'
    const response = await next()
    return { ...response, headers: { 'x-trail': req.trail.join() } }
  }
  const inner = (req, ctx, next) => (req.trail.push('inner'), next())
`

const FILES = {
  'echo.mjs': step('async (req) => ({ status: 200, body: req })'),
  'sync.mjs': step('(req) => ({ status: 201, body: { sync: true } })'),
  'throws.mjs': step(`() => { throw Object.assign(new TypeError('broken'), { code: 'E_X', cause: 'why' }) }`),
  'rejects.mjs': step(`async () => { throw null }`),
  'nothing.mjs': step('async () => {}'),
  'event.mjs': step(
    `async function (data, ctx) { ctx.logger.info('got', { data, given: data !== undefined }); return { status: 'dropped' } }`,
    `type: 'event', name: 'E', subscribes: ['x'], emits: [], flows: ['f1']`,
  ),
  'cron.mjs': step(
    `async function (ctx) { ctx.logger.info('tick', { arguments: arguments.length, flows: ctx.flows, trace: ctx.traceId }) }`,
    `type: 'cron', name: 'C', cron: '* * * * *', emits: [], flows: ['f2']`,
  ),
  'layers.mjs': `${MIDDLEWARE}${step(
    `async (req, { user }) => (req.trail.push('handler'), { status: 200, body: { user } })`,
    `type: 'api', name: 'L', middleware: [outer, inner]`,
  )}`,
  'short.mjs': step(
    `() => { throw new Error('must not run') }`,
    `type: 'api', name: 'S', middleware: [() => ({ status: 401, body: { error: 'who are you' } })]`,
  ),
  'twice.mjs': step(
    `() => ({ status: 200 })`,
    `type: 'api', name: 'T', middleware: [async function twice(req, ctx, next) { await next(); return next() }]`,
  ),
  'forgot.mjs': step(
    `() => ({ status: 200 })`,
    `type: 'api', name: 'F', middleware: [async (req, ctx, next) => { await next() }]`,
  ),
  'context.mjs': step(`async (req, ctx) => ({ status: 200, body: {
    own: Object.keys(ctx), state: Object.keys(ctx.state), logger: Object.keys(ctx.logger), copied: Object.keys({ ...ctx }).length,
    known: 'chat' in ctx.streams, unknown: ctx.streams.nope === undefined, chat: Object.keys(ctx.streams.chat),
  } })`),
  'awaits.mjs': step(`async (req, { emit }) => { await emit({ topic: 't', data: 1 }); return { status: 200 } }`),
  'forgets.mjs': step(`(req, { emit }) => { emit({ topic: 't', data: 1 }); return { status: 200 } }`),
  'chained.mjs': step(`(req, { emit }) => { emit({ topic: 't' }).then(() => 'never caught'); return { status: 200 } }`),
  'caught.mjs': step(`(req, { emit }) => { emit({ topic: 't' }).catch(() => {}); return { status: 200 } }`),
  'turn.mjs': step(`async (req, { emit }) => {
    const p = emit({ topic: 't' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    const error = await p.catch((e) => e)
    return { status: 200, body: { code: error.code, name: error.name } }
  }`),
  'wrapped.mjs': step(`async (req, { emit }) => {
    const send = async () => { await emit({ topic: 't' }) }
    await Promise.allSettled([send(), send()])
    return { status: 200 }
  }`),
  'late.mjs': step(`(req, { state, logger }) => {
    setTimeout(async () => { await state.set('g', 'k', 1); logger.info('late'); console.log('later') }, 50)
    return { status: 200 }
  }`),
  'later.mjs': step(`(req, { emit }) => {
    setTimeout(() => emit({ topic: 'late' }), 20)
    return { status: 200 }
  }`),
  'signal.mjs': step(`(req, { signal, logger }) => new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ status: 200, body: { name: signal.reason.name, text: signal.reason.message } }))
    logger.info('listening')
  })`),
  'deaf.mjs': step(`async (req, ctx) => {
    ctx.logger.info('working')
    await new Promise((resolve) => setTimeout(resolve, 150))
    return { status: 200, body: { aborted: ctx.signal.aborted, reason: ctx.signal.reason.name } }
  }`),
  'big.mjs': step(`(req) => ({ status: 200, body: Buffer.from(req.rawBody) })`),
  'nohandler.mjs': `export const config = { type: 'api', name: 'N' }`,
}

let engine
before(async () => {
  engine = new Engine({ files: FILES })
  engine.send(KIND.STREAMS, 0, 0, undefined, JSON.stringify(['chat', 'constructor']))
  const loaded = await engine.load(...Object.keys(FILES))
  for (const [source, { refused }] of Object.entries(loaded)) assert.equal(refused, undefined, source)
})
after(() => engine.close())

/** Runs a step whose operations are all refused. */
async function refusing(source) {
  engine.onOp = () => ({ error: { code: 'store-failed', message: 'the disk is full' } })
  try {
    return await engine.json(source, {})
  } finally {
    engine.onOp = () => undefined
  }
}

test('the request has the five documented members, and the status and body are the handler’s', async () => {
  const meta = { params: { id: '7' }, query: { a: ['1'] }, headers: { host: 'x' } }
  const { status, type, body } = await engine.json('echo.mjs', { a: 1 }, meta)
  assert.deepEqual({ status, type }, { status: 200, type: 'json' })
  assert.deepEqual(Object.keys(body), ['body', 'headers', 'pathParams', 'queryParams', 'rawBody'])
  assert.deepEqual(body, {
    body: { a: 1 },
    headers: { host: 'x' },
    pathParams: { id: '7' },
    queryParams: { a: ['1'] },
    rawBody: '{"a":1}',
  })
})

test('sync handlers answer too', async () => {
  assert.deepEqual(await engine.json('sync.mjs', {}), { status: 201, type: 'json', body: { sync: true } })
})

test('what was thrown is reported with the user’s line, and not with ours', async () => {
  const { error } = await engine.json('throws.mjs', {})
  assert.deepEqual(
    [error.name, error.message, error.code, error.cause],
    ['TypeError', 'broken', 'E_X', { message: 'why' }],
  )
  assert.match(error.stack, /throws\.mjs:2/)
  assert.doesNotMatch(error.stack, /sdk\/node\/lib/)
  assert.equal((await engine.json('rejects.mjs', {})).error.message, 'null')
})

test('a handler that returns nothing is told so', async () => {
  assert.match(
    (await engine.json('nothing.mjs', {})).error.message,
    /must return \{ status, body \}, but this one returned undefined/,
  )
})

test('a body that is no JSON never reaches the handler', async () => {
  const { meta } = await engine.call('echo.mjs', { content: 'json' }, '{"a":')
  assert.match(meta.invalid, /not valid JSON/)
})

test('unknown steps and steps without a handler are refused', async () => {
  assert.equal((await engine.json('nope.mjs', {})).error.code, 'step-unknown')
  assert.match((await engine.json('nohandler.mjs', {})).error.message, /exports no handler/)
})

test('events get (data, ctx), with undefined for no data; what they return is dropped', async () => {
  assert.deepEqual((await engine.call('event.mjs', { kind: 'event', topic: 'x' }, '{"n":[1]}')).meta, {})
  assert.deepEqual((await engine.call('event.mjs', { kind: 'event', topic: 'x' })).meta, {})
  const details = engine.logs.filter(({ message }) => message === 'got').map((line) => line.details)
  assert.deepEqual(details, [{ data: { n: [1] }, given: true }, { given: false }])
})

test('cron gets only ctx', async () => {
  assert.deepEqual((await engine.call('cron.mjs', { kind: 'cron' })).meta, {})
  const { details } = engine.logs.find(({ message }) => message === 'tick')
  assert.deepEqual(details, { arguments: 1, flows: ['f2'], trace: 'AUSDA-1060748' })
})

test('middleware runs outer to inner, changes what the handler sees and edits its response', async () => {
  const { headers, body } = await engine.json('layers.mjs', {})
  assert.deepEqual(body, { user: 'ada' })
  assert.deepEqual(headers, { 'x-trail': 'outer,inner,handler' })
})

test('middleware can answer by itself; what it forgets or repeats is an error', async () => {
  assert.deepEqual((await engine.json('short.mjs', {})).body, { error: 'who are you' })
  assert.match((await engine.json('twice.mjs', {})).error.message, /twice called next\(\) twice/)
  assert.match((await engine.json('forgot.mjs', {})).error.message, /returned undefined/)
})

test('ctx has its members as its own, and they can be taken apart', async () => {
  const { body } = await engine.json('context.mjs', {})
  assert.deepEqual(body.own, [
    'traceId',
    'traceparent',
    'flows',
    'logger',
    'state',
    'emit',
    'events',
    'streams',
    'sync',
    'signal',
  ])
  assert.equal(body.copied, 10)
  assert.deepEqual(body.state, [
    'get',
    'set',
    'delete',
    'getGroup',
    'clear',
    'entry',
    'setIfRevision',
    'update',
    'listKeys',
    'listGroups',
  ])
  assert.deepEqual(body.logger, ['debug', 'info', 'warn', 'error', 'log', 'child', 'addListener'])
  assert.deepEqual([body.known, body.unknown], [true, true])
  assert.deepEqual(body.chat, ['get', 'set', 'delete', 'update', 'getGroup', 'query', 'clear', 'send'])
})

test('the result waits for operations that nobody awaits', async () => {
  let op
  engine.onOp = (sent) => {
    op = sent
    return hold
  }
  const id = engine.start('forgets.mjs')
  await engine.frame(({ kind, meta }) => kind === KIND.OP && meta.call === id)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(!engine.frames.some((f) => f.kind === KIND.RESULT && f.id === id))
  engine.onOp = () => undefined
  engine.reply(op.number)
  assert.equal((await engine.result(id)).meta.status, 200)
})

test('an operation that fails rejects, and a handler that does not handle it fails', async () => {
  const { error } = await refusing('awaits.mjs')
  assert.deepEqual([error.name, error.code, error.message], ['OperationError', 'store-failed', 'the disk is full'])
  assert.match(error.stack, /awaits\.mjs:2/, 'the stack names the line that awaited')
})

test('an operation that fails with nobody watching fails its call', async () => {
  assert.equal((await refusing('forgets.mjs')).error?.code, 'store-failed')
  assert.equal((await refusing('chained.mjs')).error?.code, 'store-failed')
})

test('an operation that fails and is handled, however late, does not', async () => {
  assert.equal((await refusing('caught.mjs')).status, 200)
  assert.deepEqual((await refusing('turn.mjs')).body, { code: 'store-failed', name: 'OperationError' })
  assert.equal((await refusing('wrapped.mjs')).status, 200)
})

test('what a call leaves behind carries its trace and step', async () => {
  const id = engine.start('late.mjs')
  await engine.result(id)
  const { meta } = await engine.frame((f) => f.kind === KIND.OP && f.meta.call === id)
  assert.deepEqual(meta, { op: 'state.set', call: id, trace: 'AUSDA-1060748', step: 'late.mjs', group: 'g', key: 'k' })
  for (const [message, source] of [
    ['late', 'logger'],
    ['later', 'console'],
  ]) {
    const line = await engine.log((log) => log.message === message)
    assert.deepEqual(line.meta, { level: 'info', message, source, trace: 'AUSDA-1060748', step: 'late.mjs' })
  }
})

test('an operation that fails after the result is logged, as nobody else would hear of it', async () => {
  assert.equal((await engine.json('later.mjs', {})).status, 200)
  engine.onOp = () => ({ error: { code: 'store-failed', message: 'the disk is full' } })
  const { meta, body } = await engine.log(({ message }) => message === 'unhandled rejection: the disk is full')
  engine.onOp = () => undefined
  assert.deepEqual([meta.step, meta.source], ['later.mjs', 'worker'])
  assert.equal(JSON.parse(body).error.code, 'store-failed')
})

test('CANCEL aborts the signal, whether it was asked for before or after', async () => {
  for (const [reason, name] of [
    ['timeout', 'TimeoutError'],
    ['disconnect', 'AbortError'],
    ['shutdown', 'AbortError'],
  ]) {
    const id = engine.start('signal.mjs')
    await engine.log((line) => line.message === 'listening' && line.call === id)
    engine.send(KIND.CANCEL, 0, id, { reason })
    assert.equal(JSON.parse((await engine.result(id)).body).name, name)
  }
  const id = engine.start('deaf.mjs')
  await engine.log((line) => line.message === 'working' && line.call === id)
  engine.send(KIND.CANCEL, 0, id, { reason: 'timeout' })
  assert.deepEqual(JSON.parse((await engine.result(id)).body), { aborted: true, reason: 'TimeoutError' })
})

test('long bodies travel in both directions, within their windows', async () => {
  const text = Array.from({ length: 250_000 }, (_, i) => `ž${i}`).join()
  const body = Buffer.from(text)
  const id = 1_000_000
  const meta = { step: 'big.mjs', kind: 'api', trace: 'T', content: 'text', headers: {} }
  for (let at = 0; at < body.length; at += 65_536) {
    const more = at + 65_536 < body.length ? MORE : 0
    engine.send(at === 0 ? KIND.CALL : KIND.DATA, more, id, at === 0 ? meta : undefined, body.subarray(at, at + 65_536))
  }
  const first = await engine.result(id)
  assert.deepEqual(first.meta, { status: 200, type: 'bytes' })
  const grants = engine.frames.filter((f) => f.kind === KIND.WINDOW && f.id === id)
  assert.ok(grants.length > 0 && grants.every(({ flags }) => flags === 0))
  engine.send(KIND.WINDOW, 2, id, { bytes: body.length })
  await engine.frame((f) => f.kind === KIND.DATA && f.id === id && !(f.flags & MORE))
  const pieces = engine.frames.filter((f) => f.id === id && (f.kind === KIND.RESULT || f.kind === KIND.DATA))
  assert.ok(
    pieces.every((piece) => piece === first || piece.flags & 2),
    'an answer says that it is one',
  )
  assert.ok(Buffer.concat(pieces.map((piece) => piece.body)).equals(body))
})

test('pieces of any size make the same body', async () => {
  const text = Array.from({ length: 20_000 }, (_, i) => `${i}`).join()
  const id = 1_000_003
  engine.send(KIND.CALL, MORE, id, { step: 'big.mjs', kind: 'api', trace: 'T', content: 'text', headers: {} }, '')
  for (let at = 0; at < text.length; at += 1000) engine.send(KIND.DATA, MORE, id, undefined, text.slice(at, at + 1000))
  engine.send(KIND.DATA, 0, id)
  assert.equal((await engine.result(id)).body.toString(), text)
})

test('a request that is broken off is answered without a handler', async () => {
  engine.send(KIND.CALL, MORE, 1_000_001, { step: 'echo.mjs', kind: 'api', trace: 'T', content: 'json' }, '{"a')
  engine.send(KIND.ABORT, 0, 1_000_001)
  assert.equal((await engine.result(1_000_001)).meta.error.code, 'aborted')
})

test('a client that goes away ends a result that is still being sent', async () => {
  const id = 1_000_002
  const meta = { step: 'big.mjs', kind: 'api', trace: 'T', content: 'text', headers: {} }
  const body = Buffer.alloc(200_000, 'x')
  engine.write({ 'huge.mjs': step(`() => ({ status: 200, body: 'x'.repeat(2e6) })`) })
  await engine.load('huge.mjs')
  engine.send(KIND.CALL, 0, id, { ...meta, step: 'huge.mjs' }, body)
  await engine.result(id)
  engine.send(KIND.CANCEL, 0, id, { reason: 'disconnect' })
  const { flags } = await engine.frame((f) => f.kind === KIND.ABORT && f.id === id)
  assert.equal(flags, 2)
})
