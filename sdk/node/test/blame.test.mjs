// Code that goes wrong outside of what a handler returns, and what goes to the console: whose it is, and that it ends
// nothing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { Engine, KIND, step, withEngine } from './support/engine.mjs'

const LATER = `const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))\n`

const FILES = {
  'ok.mjs': step(`() => ({ status: 200 })`),
  'rejection.mjs': `${LATER}${step(`async () => {
    later(20).then(() => { throw new Error('left behind') })
    await later(100)
    return { status: 200 }
  }`)}`,
  'helper.mjs': `${LATER}${step(`async () => {
    (async () => { await later(1); await null; throw Object.assign(new Error('deep'), { code: 'E_DEEP' }) })()
    return { status: 200 }
  }`)}`,
  'timer.mjs': step(`() => new Promise(() => setTimeout(() => { throw new Error('from a timer') }, 20))`),
  'emitter.mjs': `import { EventEmitter } from 'node:events'
    ${step(`() => new Promise(() => setTimeout(() => new EventEmitter().emit('error', new Error('unheard')), 10))`)}`,
  'timer-after.mjs': step(`() => (setTimeout(() => { throw new Error('too late') }, 50), { status: 200 })`),
  'odd.mjs': step(`() => (setTimeout(() => { throw { get message() { throw 1 } } }, 5), { status: 200 })`),
  'console.mjs': step(`async () => {
    console.log('hello %s', 'you', { a: [1, { b: 2 }] })
    console.info('info'); console.warn('warn'); console.error(new Error('shown')); console.debug('debug')
    console.dir({ x: 1 }); console.table([{ a: 1 }]); console.assert(false, 'asserted')
    console.group('group'); console.log('inside'); console.groupEnd()
    console.count('c')
    const { log } = console
    log('taken apart')
    await null
    setTimeout(() => console.log('from a timer'), 1)
    process.stdout.write('raw\\n')
    return { status: 200 }
  }`),
  'silent.mjs': step(
    `(req, { logger }) => { logger.debug('d'); logger.info('i'); console.debug('c'); return { status: 200 } }`,
  ),
}

let engine
before(async () => {
  engine = new Engine({ files: FILES })
  await engine.load(...Object.keys(FILES))
})
after(() => engine.close())

const stillServes = async () => assert.equal((await engine.json('ok.mjs', {})).status, 200)

test('a rejection that nobody handles is logged against its call, and ends nothing', async () => {
  const id = engine.start('rejection.mjs')
  const { meta, body } = await engine.log(({ message }) => message === 'unhandled rejection: left behind')
  assert.deepEqual(meta, { level: 'error', message: 'unhandled rejection: left behind', source: 'worker', call: id })
  assert.match(JSON.parse(body).error.stack, /rejection\.mjs:\d/)
  assert.equal((await engine.result(id)).meta.status, 200)
})

test('also after the result, then against its trace and step', async () => {
  await engine.json('helper.mjs', {})
  const { meta, body } = await engine.log(({ message }) => message === 'unhandled rejection: deep')
  assert.deepEqual([meta.trace, meta.step, meta.call], ['AUSDA-1060748', 'helper.mjs', undefined])
  assert.equal(JSON.parse(body).error.code, 'E_DEEP')
  await stillServes()
})

test('an uncaught exception fails its call, and only that', async () => {
  const waiting = engine.start('timer.mjs')
  const other = engine.start('ok.mjs')
  assert.equal((await engine.result(waiting)).meta.error.message, 'from a timer')
  assert.equal((await engine.result(other)).meta.status, 200)
  const { call } = engine.logs.find(({ message }) => message === 'uncaught exception: from a timer')
  assert.equal(call, waiting)
  const retire = engine.frames.find(({ kind }) => kind === KIND.RETIRE)
  assert.equal(retire.meta.reason, 'uncaught exception in timer.mjs')
  assert.equal((await engine.json('emitter.mjs', {})).error.message, 'unheard')
})

test('an uncaught exception after the result is logged against trace and step', async () => {
  assert.equal((await engine.json('timer-after.mjs', {})).status, 200)
  const { meta } = await engine.log(({ message }) => message === 'uncaught exception: too late')
  assert.deepEqual([meta.step, meta.call], ['timer-after.mjs', undefined])
  await stillServes()
})

test('what cannot be read is reported all the same', async () => {
  await engine.json('odd.mjs', {})
  await engine.log(({ message }) => message === 'uncaught exception: an error that cannot be read')
  await stillServes()
})

test('the console becomes log lines of the call, and stdout stays raw', async () => {
  const { frames } = engine
  const from = frames.length
  const id = engine.start('console.mjs')
  await engine.result(id)
  await engine.log(({ message, source }) => message === 'from a timer' && source === 'console')
  const lines = frames
    .slice(from)
    .filter(({ kind, meta }) => kind === KIND.LOG && meta.source === 'console')
    .map(({ meta }) => meta)
  const seen = lines.map(({ level, message }) => [level, message.split('\n')[0]])
  assert.deepEqual(seen, [
    ['info', 'hello you { a: [ 1, { b: 2 } ] }'],
    ['info', 'info'],
    ['warn', 'warn'],
    ['error', 'Error: shown'],
    ['debug', 'debug'],
    ['info', '{ x: 1 }'],
    ['info', '┌─────────┬───┐'],
    ['error', 'Assertion failed: asserted'],
    ['info', 'group'],
    ['info', '  inside'],
    ['info', 'c: 1'],
    ['info', 'taken apart'],
    ['info', 'from a timer'],
  ])
  assert.ok(lines.slice(0, -1).every(({ call }) => call === id))
  assert.equal(lines.at(-1).step, 'console.mjs')
  // Another stream than that of the frames, so it may be later.
  if (engine.stdout === '') await once(engine.child.stdout, 'data')
  assert.equal(engine.stdout, 'raw\n')
  assert.equal(engine.stderr, '')
})

test('LOG_LEVEL filters the logger and not the console', async () => {
  const levels = async (LOG_LEVEL) =>
    withEngine({ files: { 'silent.mjs': FILES['silent.mjs'] }, env: { LOG_LEVEL } }, async (quiet) => {
      await quiet.load('silent.mjs')
      await quiet.json('silent.mjs', {})
      return quiet.logs.map(({ message }) => message)
    })
  assert.deepEqual(await levels('debug'), ['d', 'i', 'c'])
  assert.deepEqual(await levels('WARN'), ['c'])
  assert.deepEqual(await levels('nonsense'), ['i', 'c'])
})

test('process.exit fails its call, stops its handler, and takes the worker out of service', async () => {
  const files = {
    'ok.mjs': FILES['ok.mjs'],
    'exit.mjs': step(`(req, { logger }) => { logger.info('last words'); process.exit(7); logger.info('never') }`),
    'later.mjs': step(`() => new Promise(() => setTimeout(() => process.exit(8), 10))`),
    'deaf.mjs': step(`async () => { try { process.exit() } catch {} ; return { status: 200 } }`),
  }
  for (const [source, code] of [
    ['exit.mjs', 7],
    ['later.mjs', 8],
    ['deaf.mjs', 0],
  ]) {
    await withEngine({ files }, async (worker) => {
      await worker.load(...Object.keys(files))
      const id = worker.start(source)
      const message = `process.exit(${code}) was called`
      assert.equal((await worker.result(id)).meta.error.message, message)
      const retire = await worker.frame(({ kind }) => kind === KIND.RETIRE)
      assert.deepEqual(retire.meta, { reason: `process.exit was called in ${source}` })
      const { meta } = await worker.log((line) => line.message === `${message} in ${source}`)
      assert.deepEqual([meta.level, meta.call], ['error', id])
      assert.ok(worker.logs.every((line) => line.message !== 'never'))
      assert.equal((await worker.json('ok.mjs', {})).status, 200, 'it finishes what it gets')
    })
  }
})

test('process.exit while a file is imported refuses that file alone', async () => {
  const files = { 'ok.mjs': FILES['ok.mjs'], 'exit.mjs': `process.exit(1)\n${step(`() => ({ status: 200 })`)}` }
  await withEngine({ files }, async (worker) => {
    const loaded = await worker.load('exit.mjs', 'ok.mjs')
    assert.equal(loaded['exit.mjs'].refused.message, 'process.exit(1) was called')
    assert.equal(loaded['ok.mjs'].handler, true)
  })
})

test('an exception that belongs to no call names what is in flight, and fails none of it', async () => {
  const files = {
    'stray.mjs': `let later
      setInterval(() => { if (later) { later = false; throw new Error('stray') } }, 5).unref()
      ${step(`async () => { later = true; await new Promise((done) => setTimeout(done, 60)); return { status: 200 } }`)}`,
  }
  await withEngine({ files }, async (worker) => {
    await worker.load('stray.mjs')
    const id = worker.start('stray.mjs')
    const retire = await worker.frame(({ kind }) => kind === KIND.RETIRE)
    assert.equal(retire.meta.reason, 'uncaught exception outside of any call (in flight: stray.mjs)')
    assert.equal((await worker.result(id)).meta.status, 200)
  })
})

for (const [how, end] of [
  ['loops', 'for (;;) {}'],
  ['dies', "process.kill(process.pid, 'SIGKILL')"],
]) {
  const handler = `(req, { logger }) => { logger.info('about to', { n: 1 }); console.log('now'); ${end} }`
  test(`what a handler logs before it ${how} is not lost`, () =>
    withEngine({ files: { 'last.mjs': step(handler) } }, async (worker) => {
      await worker.load('last.mjs')
      worker.start('last.mjs')
      for (const line of ['about to', 'now']) await worker.log(({ message }) => message === line)
    }))
}
