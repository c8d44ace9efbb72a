// The packages that users import, as values and as types.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { configJson } from '../lib/config-json.mjs'
import { step, withEngine } from './support/engine.mjs'

const require = createRequire(import.meta.url)
const packages = new URL('../packages/', import.meta.url)

test('import and require give the same values', async () => {
  const scoped = readdirSync(new URL('@motiadev/', packages)).map((name) => `@motiadev/${name}`)
  for (const name of ['motia', ...scoped]) {
    const imported = await import(new URL(`${name}/index.mjs`, packages))
    const required = require(fileURLToPath(new URL(`${name}/index.cjs`, packages)))
    const names = Object.keys(imported).filter((key) => key !== 'default')
    assert.ok(names.length > 0, name)
    for (const key of names) assert.equal(imported[key], required[key], `${name}: ${key}`)
    assert.ok(existsSync(new URL(`${name}/index.d.ts`, packages)))
  }
})

test('motia and @motiadev/core are the same', async () => {
  const motia = await import('../packages/motia/index.mjs')
  const core = await import('../packages/@motiadev/core/index.mjs')
  assert.deepEqual({ ...core }, { ...motia })
  const value = { plugins: [] }
  assert.equal(core.config(value), value)
  assert.equal(motia.defineConfig(value), value)
})

test('a plugin adds nothing, whichever way it is imported', async () => {
  const { default: plugin, plugin: named } = await import('../packages/@motiadev/plugin-shim/index.mjs')
  assert.equal(named, plugin)
  assert.equal(require('../packages/@motiadev/plugin-shim/index.cjs').default, plugin)
  assert.doesNotThrow(() => new (plugin({}).Any)().use('x').member({ y: `${plugin}` }))
  assert.equal(await plugin, plugin)
})

test('adapters are descriptions, in all forms that projects write', async () => {
  const { RedisStateAdapter, RabbitMQEventAdapter } = require('../packages/@motiadev/adapter-shim/index.cjs')
  const { MemoryStateAdapter } = require('../packages/motia/index.cjs')
  class Client {
    options = { host: 'from-client', port: 1 }
    // biome-ignore lint/correctness/noUnusedPrivateClassMembers: what real clients hold, and what must not come along
    #socket = {}
  }
  const forms = {
    flat: new RedisStateAdapter({
      host: undefined,
      port: Number('x'),
      ttl: 60,
      socket: { reconnectStrategy: () => 1 },
    }),
    two: new RedisStateAdapter({ url: 'redis://x' }, { keyPrefix: 'p:' }),
    client: new RedisStateAdapter(new Client(), { ttl: 5 }),
    url: new RabbitMQEventAdapter('amqp://x'),
    none: new MemoryStateAdapter(),
  }
  const { json, warnings } = await configJson(forms, '/project/motia.config.ts', { instances: 'named' })
  assert.deepEqual(warnings, [])
  assert.deepEqual(JSON.parse(json), {
    flat: { adapter: 'RedisStateAdapter', options: { port: null, ttl: 60, socket: { reconnectStrategy: true } } },
    two: { adapter: 'RedisStateAdapter', options: { url: 'redis://x', keyPrefix: 'p:' } },
    client: { adapter: 'RedisStateAdapter', options: { host: 'from-client', port: 1, ttl: 5 } },
    url: { adapter: 'RabbitMQEventAdapter', options: { url: 'amqp://x' } },
    none: { adapter: 'MemoryStateAdapter', options: {} },
  })
  assert.ok(forms.flat instanceof RedisStateAdapter)
  assert.equal(RedisStateAdapter.name, 'RedisStateAdapter')
})

test('globalLogger prints without a worker', (t) => {
  const printed = t.mock.method(console, 'warn', () => {})
  const { globalLogger, Logger } = require('../packages/motia/index.cjs')
  const heard = []
  globalLogger.addListener((...line) => heard.push(line))
  const { warn } = globalLogger
  warn('careful', { a: 1 })
  globalLogger.child({ user: 'ada' }).warn('again', 'text')
  const lines = printed.mock.calls.map((call) => call.arguments)
  assert.deepEqual(lines, [
    ['careful', { a: 1 }],
    ['again', { user: 'ada', details: 'text' }],
  ])
  assert.deepEqual(heard, [['warn', 'careful', { a: 1 }]])
  assert.ok(globalLogger instanceof Logger)
})

test('globalLogger is a log of the call that runs, within a worker', () => {
  const motia = fileURLToPath(new URL('motia/index.mjs', packages))
  const file = `import { globalLogger } from ${JSON.stringify(motia)}
    ${step(`async () => { await null; globalLogger.debug('hidden'); globalLogger.error('seen', new Error('e')); return { status: 200 } }`)}`
  return withEngine({ files: { 'a.mjs': file } }, async (engine) => {
    await engine.load('a.mjs')
    await engine.json('a.mjs', {})
    const [{ details, ...line }, ...more] = engine.logs
    assert.deepEqual(line, { level: 'error', message: 'seen', source: 'logger', call: 1 })
    assert.equal(details.message, 'e')
    assert.deepEqual(more, [])
  })
})

test('the types fit what projects write, and refuse what is wrong', (t, done) => {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
  assert.ok(existsSync(tsc), 'this test needs typescript: run `npm ci` in sdk/node')
  const project = fileURLToPath(new URL('types/tsconfig.json', import.meta.url))
  execFile(process.execPath, [tsc, '-p', project], (error, stdout) => done(error && new Error(stdout)))
})
