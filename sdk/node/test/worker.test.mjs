// The worker as a process: start, loading, stop, exit.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Engine, KIND, step, withEngine } from './support/engine.mjs'

test('says hello and waits', () =>
  withEngine({}, async (engine) => {
    const { meta } = await engine.frame(({ kind }) => kind === KIND.HELLO)
    assert.deepEqual(meta, { protocol: 1, language: 'node', runtime: process.version, pid: engine.child.pid })
  }))

test('loads all export shapes and announces each file before it runs', () =>
  withEngine(
    {
      files: {
        'named.mjs': step('async () => ({ status: 200 })'),
        'default.mjs': `export default { config: { type: 'event', name: 'D', subscribes: ['x'] }, handler() {} }`,
        'exports.cjs': `exports.config = { type: 'cron', name: 'E', cron: '* * * * *' }\nexports.handler = () => {}`,
        'whole.cjs': `module.exports = { config: { type: 'api', name: 'W' }, handler: () => ({ status: 204 }) }`,
        'compiled.cjs': `Object.defineProperty(exports, '__esModule', { value: true })
          exports.default = { config: { type: 'api', name: 'C' }, handler: () => ({ status: 204 }) }`,
        'noop.mjs': `export const config = { type: 'noop', name: 'N', virtualEmits: [], virtualSubscribes: [] }`,
        'a.stream.cjs': `module.exports = { config: { name: 'chat', schema: {}, baseConfig: { storageType: 'default' } } }`,
      },
    },
    async (engine) => {
      const sources = [
        'named.mjs',
        'default.mjs',
        'exports.cjs',
        'whole.cjs',
        'compiled.cjs',
        'noop.mjs',
        'a.stream.cjs',
      ]
      const loaded = await engine.load(...sources)
      const handlers = sources.map((source) => loaded[source].handler)
      assert.deepEqual(handlers, [true, true, true, true, true, false, false])
      assert.deepEqual(loaded['default.mjs'].config, { type: 'event', name: 'D', subscribes: ['x'] })
      const order = engine.frames.filter(({ kind }) => kind !== KIND.HELLO).map(({ kind, meta }) => [kind, meta.file])
      const expected = sources.flatMap((file) => [
        [KIND.IMPORTING, file],
        [KIND.IMPORTED, file],
      ])
      assert.deepEqual(order, [...expected, [KIND.READY, undefined]])
      for (const source of ['named.mjs', 'whole.cjs', 'compiled.cjs']) {
        assert.equal((await engine.json(source, {})).type, 'none', source)
      }
    },
  ))

test('a file that cannot be used is refused with its reason, and the others load', () =>
  withEngine(
    {
      files: {
        'throws.mjs': `import './deep.mjs'`,
        'deep.mjs': `throw new Error('no key', { cause: Object.assign(new Error('env'), { code: 'E_ENV' }) })`,
        'syntax.mjs': `export const config = {`,
        'missing.mjs': `import 'not-installed'`,
        'none.mjs': `export const conf = {}`,
        'null.mjs': `export const config = null`,
        'a.stream.mjs': `export const handler = 1`,
        'unguarded.mjs': step('() => ({ status: 200 })', "type: 'api', middleware: [undefined]"),
        'value.mjs': `throw 'just text'`,
        'good.mjs': step('() => ({ status: 200 })'),
      },
    },
    async (engine) => {
      const loaded = await engine.load(
        'throws.mjs',
        'syntax.mjs',
        'missing.mjs',
        'none.mjs',
        'null.mjs',
        'a.stream.mjs',
        'unguarded.mjs',
        'value.mjs',
        'good.mjs',
      )
      assert.equal(loaded['throws.mjs'].refused.message, 'no key')
      assert.equal(loaded['throws.mjs'].refused.cause.code, 'E_ENV')
      assert.match(loaded['throws.mjs'].refused.stack, /deep\.mjs:1/)
      assert.equal(loaded['syntax.mjs'].refused.name, 'SyntaxError')
      assert.equal(loaded['missing.mjs'].refused.code, 'ERR_MODULE_NOT_FOUND')
      assert.match(
        loaded['none.mjs'].refused.message,
        /none\.mjs exports no config\. Add: export const config = \{ type/,
      )
      assert.match(loaded['null.mjs'].refused.message, /a config that is null/)
      assert.match(loaded['a.stream.mjs'].refused.message, /exports no config.*baseConfig/)
      assert.match(loaded['unguarded.mjs'].refused.message, /middleware\[0\] must be a function, but it is undefined/)
      assert.equal(loaded['value.mjs'].refused.message, 'just text')
      assert.equal(loaded['good.mjs'].handler, true)
    },
  ))

test('the engine knows which file hangs or dies', async () => {
  await withEngine({ files: { 'hang.cjs': `for (;;) {}` } }, async (engine) => {
    engine.load('hang.cjs').catch(() => {})
    const { meta } = await engine.frame(({ kind }) => kind === KIND.IMPORTING)
    assert.equal(meta.file, 'hang.cjs')
  })
  await withEngine(
    { files: { 'dies.mjs': `process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})` } },
    async (engine) => {
      engine.load('dies.mjs').catch(() => {})
      assert.equal((await engine.exit).signal, 'SIGKILL')
      assert.equal(engine.frames.at(-1).meta.file, 'dies.mjs')
    },
  )
})

test('a later LOAD replaces a step, and two LOADs do not mix', () =>
  withEngine(
    { files: { 'a.mjs': step('() => ({ status: 201 })'), 'b.mjs': step('() => ({ status: 202 })') } },
    async (engine) => {
      const readies = () => engine.frames.filter(({ kind }) => kind === KIND.READY).length
      await Promise.all([engine.load('a.mjs'), engine.load('b.mjs')])
      await engine.frame(() => readies() === 2)
      const kinds = engine.frames.slice(1).map(({ kind }) => kind)
      assert.deepEqual(kinds, [0x42, 0x43, 0x45, 0x42, 0x43, 0x45])
      engine.write({ 'old/a.mjs': step('() => ({ status: 203 })') })
      const files = JSON.stringify([{ source: 'a.mjs', module: `${engine.root}/old/a.mjs`, kind: 'step' }])
      engine.send(KIND.LOAD, 0, 0, { root: engine.root }, files)
      await engine.frame(() => readies() === 3)
      assert.equal((await engine.json('a.mjs', {})).status, 203)
    },
  ))

test('motia.config: its data, with names in the place of functions', () =>
  withEngine(
    {
      files: {
        'motia.config.mjs': `export default { redis: { port: 1 }, streamAuth: { authenticate: async () => ({}) }, app: (x) => x }`,
        'motia.config.cjs': `module.exports = { plugins: [] }`,
        'bad/motia.config.mjs': `export const config = 1`,
      },
    },
    async (engine) => {
      const loaded = await engine.load('motia.config.mjs', 'motia.config.cjs', 'bad/motia.config.mjs')
      assert.deepEqual(loaded['motia.config.mjs'].config, {
        redis: { port: 1 },
        streamAuth: { authenticate: true },
        app: true,
      })
      assert.deepEqual(loaded['motia.config.cjs'].config, { plugins: [] })
      assert.match(loaded['bad/motia.config.mjs'].refused.message, /default export/)
    },
  ))

test('answers pings', () =>
  withEngine({}, async (engine) => {
    engine.send(KIND.PING, 0, 99)
    assert.equal((await engine.frame(({ kind }) => kind === KIND.PONG)).id, 99)
  }))

test('STOP waits for the calls that run', () =>
  withEngine(
    { files: { 'slow.mjs': step('() => new Promise((r) => setTimeout(r, 200, { status: 200 }))') } },
    async (engine) => {
      await engine.load('slow.mjs')
      const id = engine.start('slow.mjs')
      engine.send(KIND.STOP, 0, 0)
      assert.equal((await engine.result(id)).meta.status, 200)
      assert.deepEqual(await engine.exit, { code: 0, signal: null })
      assert.deepEqual(engine.logs, [])
    },
  ))

test('STOP waits for what a call left behind, and its operations are late ones', () =>
  withEngine(
    {
      files: {
        'late.mjs': step(`(req, { emit }) => {
          setTimeout(async () => { await emit({ topic: 'late', data: 1 }); await emit({ topic: 'later', data: 2 }) }, 150)
          return { status: 200 }
        }`),
      },
    },
    async (engine) => {
      await engine.load('late.mjs')
      const id = engine.start('late.mjs')
      engine.send(KIND.STOP, 0, 0)
      await engine.result(id)
      for (const topic of ['late', 'later']) {
        const late = await engine.frame(({ kind, meta }) => kind === KIND.OP && meta.topic === topic)
        assert.equal(late.meta.step, 'late.mjs')
        engine.send(KIND.REPLY, 0, late.id)
      }
      assert.deepEqual(await engine.exit, { code: 0, signal: null })
    },
  ))

test('STOP waits until a long result is out', () =>
  withEngine({ files: { 'long.mjs': step(`() => ({ status: 200, body: 'x'.repeat(3e6) })`) } }, async (engine) => {
    await engine.load('long.mjs')
    const id = engine.start('long.mjs')
    engine.send(KIND.STOP, 0, 0)
    await engine.result(id)
    engine.send(KIND.WINDOW, 2, id, { bytes: 4_000_000 })
    assert.equal((await engine.exit).code, 0)
    const received = engine.frames.filter((f) => f.id === id).reduce((sum, { body }) => sum + body.length, 0)
    assert.equal(received, 3_000_000)
  }))

test('the end of the stream ends the worker, even in the middle of a call', () =>
  withEngine({ files: { 'forever.mjs': step('() => new Promise(() => {})') } }, async (engine) => {
    await engine.load('forever.mjs')
    engine.start('forever.mjs')
    engine.socket.end()
    assert.deepEqual(await engine.exit, { code: 0, signal: null })
    assert.equal(engine.stderr, '')
  }))

test('a broken frame ends the worker with a reason', () =>
  withEngine({}, async (engine) => {
    await engine.frame(({ kind }) => kind === KIND.HELLO)
    engine.socket.write(Buffer.alloc(20, 0xff))
    assert.equal((await engine.exit).code, 1)
    assert.match(engine.stderr, /the connection to the engine broke: a frame of 4294967295 bytes/)
  }))

test('SIGINT and SIGTERM are the engine’s business', () =>
  withEngine({}, async (engine) => {
    await engine.frame(({ kind }) => kind === KIND.HELLO)
    engine.child.kill('SIGINT')
    engine.child.kill('SIGTERM')
    engine.send(KIND.PING, 0, 1)
    await engine.frame(({ kind }) => kind === KIND.PONG)
  }))

test('processes of user code inherit neither the variable nor the stream', { skip: process.platform !== 'linux' }, () =>
  withEngine(
    {
      files: {
        'spawn.mjs': `import { execFileSync } from 'node:child_process'
          import { readlinkSync } from 'node:fs'
          ${step(`() => {
            const open = execFileSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' })
            const ours = readlinkSync('/proc/self/fd/3')
            return { status: 200, body: { ours, open, variable: process.env.MOTIA_FD ?? null } }
          }`)}`,
      },
    },
    async (engine) => {
      await engine.load('spawn.mjs')
      const { body } = await engine.json('spawn.mjs', {})
      assert.match(body.ours, /^socket:/)
      assert.ok(!body.open.includes(body.ours), body.open)
      assert.equal(body.variable, null)
    },
  ),
)

test('refuses to run by hand', async () => {
  const engine = new Engine({ env: {}, flags: ['-e', 'delete process.env.MOTIA_FD; import(process.argv[1])'] })
  try {
    assert.equal((await engine.exit).code, 2)
    assert.match(engine.stderr, /The motia command starts it/)
  } finally {
    await engine.close()
  }
})
