import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configJson } from '../lib/config-json.mjs'

const convert = async (config, options) => {
  const { json, warnings } = await configJson(config, '/project/steps/a.step.ts', options)
  return { config: JSON.parse(json), warnings }
}

test('data stays as it is, in its order', async () => {
  const config = {
    name: 'A',
    type: 'api',
    emits: ['x', { topic: 'y', label: 'Y' }],
    timeout: Number('x'),
    flows: undefined,
    n: null,
  }
  const { config: copy, warnings } = await convert(config)
  assert.deepEqual(warnings, [])
  assert.equal(JSON.stringify(copy), JSON.stringify({ ...config, timeout: null }))
})

test('of functions only that they are there is told; middleware is counted', async () => {
  const { config } = await convert({
    middleware: [() => {}, async () => {}],
    canAccess: () => true,
    plugins: [() => {}, class Plugin {}],
    nested: { middleware: [() => {}] },
  })
  assert.deepEqual(config, { middleware: 2, canAccess: true, plugins: [true, true], nested: { middleware: [true] } })
  assert.deepEqual((await convert({ middleware: () => {} })).config, { middleware: 1 })
})

test('what cannot be JSON is left out and named', async () => {
  const config = { big: 1n, list: [1n, 2], symbol: Symbol('x'), date: new Date(0), map: new Map([[1, 2]]) }
  config.self = config
  config.child = { parent: config }
  Object.defineProperty(config, 'secret', {
    enumerable: true,
    get: () => {
      throw new Error('locked')
    },
  })
  const { config: copy, warnings } = await convert(config)
  assert.deepEqual(copy, { list: [null, 2], date: '1970-01-01T00:00:00.000Z', map: {}, child: {} })
  assert.deepEqual(warnings, [
    'config.big is a bigint, which JSON cannot hold',
    'config.list[0] is a bigint, which JSON cannot hold',
    'config.self is a cycle, which JSON cannot hold',
    'config.child.parent is a cycle, which JSON cannot hold',
    'config.secret cannot be read: locked',
  ])
})

test('the same object twice is no cycle', async () => {
  const shared = { a: 1 }
  assert.deepEqual(await convert({ x: shared, y: shared }), { config: { x: { a: 1 }, y: { a: 1 } }, warnings: [] })
})

test('endless configs and endless warnings have an end', async () => {
  const endless = () => ({
    get next() {
      return endless()
    },
  })
  assert.match((await convert(endless())).warnings[0], /nested too deep/)
  const { warnings } = await convert(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, 1n])))
  assert.equal(warnings.length, 21)
  assert.equal(warnings.at(-1), 'and 80 more like these')
})

test('schemas are converted wherever they are', async () => {
  const schema = (json) => ({ '~standard': { version: 1, jsonSchema: { input: () => json } } })
  const { config } = await convert({
    bodySchema: schema({ type: 'object' }),
    responseSchema: { 200: schema({ type: 'string' }), 404: { type: 'null' } },
    queryParams: [{ name: 'q', schema: schema({ type: 'number' }) }],
  })
  assert.deepEqual(config, {
    bodySchema: { type: 'object' },
    responseSchema: { 200: { type: 'string' }, 404: { type: 'null' } },
    queryParams: [{ name: 'q', schema: { type: 'number' } }],
  })
})

test('in motia.config an object of a class is only named, unless it says what it is', async () => {
  class Redis {
    connection = { secret: 1 }
  }
  class Descriptor {
    toJSON() {
      return { adapter: 'X', options: { client: new Redis(), port: 1 } }
    }
  }
  const config = { adapters: { state: new Redis(), events: new Descriptor() } }
  const named = await convert(config, { instances: 'named' })
  const client = { class: 'Redis' }
  assert.deepEqual(named.config, {
    adapters: { state: client, events: { adapter: 'X', options: { client, port: 1 } } },
  })
  assert.deepEqual((await convert(config)).config.adapters.state, { connection: { secret: 1 } })
})
