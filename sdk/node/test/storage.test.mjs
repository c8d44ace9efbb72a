// Custom storage: the adapters of streams.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { Engine, KIND, step } from './support/engine.mjs'

const PACKAGES = new URL('../packages/', import.meta.url)
const { StreamAdapter } = createRequire(import.meta.url)('../packages/motia/index.cjs')

const stream = (factory, before = '') => `import { StreamAdapter } from '${new URL('motia/index.mjs', PACKAGES)}'
  import { StreamAdapter as CoreAdapter } from '${new URL('@motiadev/core/index.mjs', PACKAGES)}'
  ${before}
  export const config = { name: 'todo', schema: {}, baseConfig: { storageType: 'custom', factory: ${factory} } }\n`

/** An adapter as the documentation has it, in memory. */
const MEMORY = `class Memory extends StreamAdapter {
  items = new Map()
  async get(groupId, id) {
    console.log('get', this.streamName, groupId, id)
    return this.items.get(groupId + '/' + id) ?? null
  }
  async set(groupId, id, data) {
    const item = { ...data, id }
    this.items.set(groupId + '/' + id, item)
    return item
  }
  async delete(groupId, id) {
    const item = this.items.get(groupId + '/' + id) ?? null
    this.items.delete(groupId + '/' + id)
    return item
  }
  async getGroup(groupId) {
    return [...this.items].filter(([key]) => key.startsWith(groupId + '/')).map(([, item]) => item)
  }
}`

/** Nothing but what it must have, nothing async, and answers with as little as it may. */
const PLAIN = `const groups = { g: [] }
  const plain = {
    get: (groupId, id) => groups[groupId].find((item) => item.id === id),
    set: (groupId, id, data) => { groups[groupId].push({ ...data, id }) },
    delete: (groupId, id) => {
      const at = groups[groupId].findIndex((item) => item.id === id)
      if (at !== -1) groups[groupId].splice(at, 1)
    },
    getGroup: (groupId) => groups[groupId],
  }`

const FILES = {
  'memory.stream.mjs': stream('async (name) => new Memory(name)', MEMORY),
  'own.stream.mjs': stream(
    `() => new Own('todo')`,
    `${MEMORY.replace('extends StreamAdapter', 'extends CoreAdapter')}
    class Own extends Memory {
      async clear(groupId) {
        console.log('clear', groupId)
        this.items.clear()
      }
      async query(groupId, filter) {
        if (filter.limit !== undefined) return super.query(groupId, filter)
        return [{ id: 'q', groupId, filter }]
      }
    }`,
  ),
  'plain.stream.mjs': stream('() => plain', PLAIN),
  'late.stream.mjs': stream(
    `async (name) => {
      made++
      await new Promise((resolve) => setTimeout(resolve, 20))
      if (made === 1) throw Object.assign(new Error('the database is not up'), { code: 'ECONNREFUSED' })
      return { get: () => ({ made }), set() {}, delete() {}, getGroup() {} }
    }`,
    'let made = 0',
  ),
  'lacks.stream.mjs': stream('() => ({ get() {}, set() {}, delete() {} })'),
  'nothing.stream.mjs': stream('() => {}'),
  'class.stream.mjs': stream('() => StreamAdapter'),
  'odd.stream.mjs': stream(
    `() => ({ get: (_, id) => odd[id], set: () => 'OK', delete: () => true, getGroup: (id) => odd[id], clear() {} })`,
    `const cycle = {}
    cycle.me = cycle
    const odd = { list: [], date: new Date(0), cycle, big: { n: 1n }, text: 'x', function: () => {},
      none: null, holes: [{ id: 1 }, null], texts: ['x'], nameless: [{}] }`,
  ),
  'nameless.stream.mjs': stream('() => ({ get() {}, set() {}, delete() {}, getGroup: () => [{ id: 0 }, {}] })'),
  'throws.stream.mjs': stream(`() => ({ get: async () => null.x, set() {}, delete() {}, getGroup() {} })`),
  'default.stream.mjs': `export const config = { name: 'd', schema: {}, baseConfig: { storageType: 'default', factory: 1 } }`,
  'a.mjs': step('(req) => ({ status: 200, body: true })'),
}

let engine
let loaded
before(async () => {
  engine = new Engine({ files: FILES })
  loaded = await engine.load(...Object.keys(FILES))
  for (const [source, { refused }] of Object.entries(loaded)) assert.equal(refused, undefined, source)
})
after(() => engine.close())

/** The answer as a value, or `{error}`. */
async function ask(source, question) {
  const { meta, body } = await engine.call(source, { kind: 'storage' }, JSON.stringify(question))
  if (meta.error !== undefined) return meta
  assert.deepEqual(meta, { type: 'json' })
  return JSON.parse(body)
}

const message = async (...question) => (await ask(...question)).error.message
const about = (groupId, id, data) => ({ groupId, id, data })

test('an adapter is asked for all that is done with items', async () => {
  const source = 'memory.stream.mjs'
  const item = { text: 'a', id: '1' }
  assert.equal(await ask(source, { do: 'get', ...about('g', '1') }), null)
  assert.deepEqual(await ask(source, { do: 'set', ...about('g', '1', { text: 'a' }) }), { there: false, item })
  assert.deepEqual(await ask(source, { do: 'set', ...about('g', '1', { text: 'a' }) }), { there: true, item })
  await ask(source, { do: 'set', ...about('g', '2', { text: 'b' }) })
  await ask(source, { do: 'set', ...about('other', '1', { text: 'c' }) })
  assert.deepEqual(await ask(source, { do: 'get', ...about('g', '1') }), item)
  const both = [item, { text: 'b', id: '2' }]
  assert.deepEqual(await ask(source, { do: 'group', groupId: 'g' }), both)
  assert.deepEqual(await ask(source, { do: 'query', groupId: 'g', filter: { limit: 1 } }), {
    items: both,
    chosen: false,
  })
  assert.deepEqual(await ask(source, { do: 'delete', ...about('g', '1') }), item)
  assert.equal(await ask(source, { do: 'delete', ...about('g', '1') }), null)
  assert.deepEqual(await ask(source, { do: 'clear', groupId: 'g' }), [both[1]])
  assert.deepEqual(await ask(source, { do: 'clear', groupId: 'g' }), [])
  assert.equal((await ask(source, { do: 'group', groupId: 'other' })).length, 1)
})

test('what is printed belongs to the call, and the factory gets the name of the stream', async () => {
  const question = JSON.stringify({ do: 'get', ...about('printed', 'i') })
  const id = engine.start('memory.stream.mjs', { kind: 'storage' }, question)
  await engine.result(id)
  const line = engine.logs.find(({ call }) => call === id)
  assert.deepEqual([line.message, line.source], ['get todo printed i', 'console'])
})

test('a query and a clear of its own are what runs', async () => {
  const source = 'own.stream.mjs'
  await ask(source, { do: 'set', ...about('g', '1', { n: 1 }) })
  await ask(source, { do: 'set', ...about('g', '2', { n: 2 }) })
  const filter = { where: { n: 1 }, orderBy: 'n' }
  assert.deepEqual(await ask(source, { do: 'query', groupId: 'g', filter }), {
    items: [{ id: 'q', groupId: 'g', filter }],
    chosen: true,
  })
  assert.deepEqual((await ask(source, { do: 'query', groupId: 'g' })).items[0].filter, {})
  const page = { orderBy: 'n', orderDirection: 'desc', limit: 1 }
  assert.deepEqual(await ask(source, { do: 'query', groupId: 'g', filter: page }), {
    items: [{ n: 2, id: '2' }],
    chosen: true,
  })
  assert.equal((await ask(source, { do: 'clear', groupId: 'g' })).length, 2)
  assert.ok(engine.logs.some(({ message }) => message === 'clear g'))
  assert.deepEqual(await ask(source, { do: 'group', groupId: 'g' }), [])
})

test('an adapter need not be async, say what it did, or have more than it must', async () => {
  const source = 'plain.stream.mjs'
  assert.equal(await ask(source, { do: 'get', ...about('g', '1') }), null)
  assert.deepEqual(await ask(source, { do: 'set', ...about('g', '1', { n: 1 }) }), { there: false, item: { n: 1 } })
  assert.deepEqual(await ask(source, { do: 'get', ...about('g', '1') }), { n: 1, id: '1' })
  assert.deepEqual(await ask(source, { do: 'delete', ...about('g', '1') }), { n: 1, id: '1' })
  assert.equal(await ask(source, { do: 'delete', ...about('g', '1') }), null)
  for (const id of ['2', '3', '4']) await ask(source, { do: 'set', ...about('g', id, {}) })
  assert.deepEqual(await ask(source, { do: 'query', groupId: 'g', filter: { limit: 1 } }), {
    items: [{ id: '2' }, { id: '3' }, { id: '4' }],
    chosen: false,
  })
  assert.deepEqual(await ask(source, { do: 'clear', groupId: 'g' }), [{ id: '2' }, { id: '3' }, { id: '4' }])
  assert.deepEqual(await ask(source, { do: 'group', groupId: 'g' }), [])
})

test('an adapter is made once; a factory that failed is tried again', async () => {
  const get = { do: 'get', ...about('g', 'i') }
  const failed = await Promise.all([ask('late.stream.mjs', get), ask('late.stream.mjs', get)])
  for (const { error } of failed) {
    assert.deepEqual([error.message, error.code], ['the database is not up', 'ECONNREFUSED'])
    assert.match(error.stack, /late\.stream\.mjs:\d+/)
  }
  const made = await Promise.all([ask('late.stream.mjs', get), ask('late.stream.mjs', get)])
  assert.deepEqual(made, [{ made: 2 }, { made: 2 }])
  assert.deepEqual(await ask('late.stream.mjs', get), { made: 2 })
})

test('what is no adapter is an error', async () => {
  const get = { do: 'get', ...about('g', 'i') }
  const must = 'it must have get, set, delete, getGroup'
  const lacks = `the adapter of stream 'todo' has no method 'getGroup'; ${must}`
  assert.equal(await message('lacks.stream.mjs', get), lacks)
  assert.equal(await message('lacks.stream.mjs', get), lacks)
  const returned = (what) => `the factory of stream 'todo' returned ${what}, not an adapter`
  assert.equal(await message('nothing.stream.mjs', get), returned('undefined'))
  assert.equal(await message('class.stream.mjs', get), returned('a function'))
})

test('what an adapter throws is an error with the user’s line', async () => {
  const { error } = await ask('throws.stream.mjs', { do: 'get', ...about('g', 'i') })
  assert.equal(error.name, 'TypeError')
  assert.match(error.stack, /throws\.stream\.mjs:\d+/)
  assert.equal(await message('memory.stream.mjs', { do: 'grow' }), "storage cannot do 'grow'")
})

test('an item is an object that has a JSON form', async () => {
  const source = 'odd.stream.mjs'
  const returned = (method, what) => `${method}() of the adapter of stream 'todo' returned ${what}`
  const got = async (id) => message(source, { do: 'get', ...about('g', id) })
  assert.equal(await got('list'), returned('get', 'an array; an item must be an object, also as JSON'))
  assert.equal(await got('date'), returned('get', 'an object; an item must be an object, also as JSON'))
  assert.equal(await got('text'), returned('get', 'the string "x"; an item must be an object, also as JSON'))
  assert.match(await got('cycle'), /^what get\(\) of the adapter of stream 'todo' returned cannot be written as JSON: /)
  assert.match(await got('big'), /returned cannot be written as JSON: .*BigInt/)
  assert.match(await got('function'), /returned is a function, which has no JSON form$/)
  assert.equal(
    await message(source, { do: 'set', ...about('g', 'none', {}) }),
    returned('set', 'the string "OK"; an item must be an object, also as JSON'),
  )
  assert.equal(
    await message(source, { do: 'delete', ...about('g', 'none') }),
    returned('delete', 'a boolean; an item must be an object, also as JSON'),
  )
  const group = async (groupId) => message(source, { do: 'group', groupId })
  assert.equal(await group('none'), returned('getGroup', 'null; it must return an array of items'))
  assert.equal(await group('big'), returned('getGroup', 'an object; it must return an array of items'))
  assert.equal(
    await group('holes'),
    returned('getGroup', 'a list with null in it; an item must be an object, also as JSON'),
  )
  assert.equal(await group('texts'), returned('getGroup', 'the string "x"; an item must be an object, also as JSON'))
  assert.equal(
    await message('nameless.stream.mjs', { do: 'clear', groupId: 'g' }),
    returned('getGroup', 'an item without an id, so the group cannot be cleared'),
  )
  assert.deepEqual(await ask(source, { do: 'clear', groupId: 'nameless' }), [{}])
})

test('items may be long', async () => {
  const text = 'ž'.repeat(400_000)
  await ask('memory.stream.mjs', { do: 'set', ...about('long', 'i', { text: 'ž'.repeat(10_000) }) })
  const id = 1_000_000
  const body = Buffer.from(JSON.stringify({ do: 'set', ...about('long', 'j', { text }) }))
  const meta = { step: 'memory.stream.mjs', kind: 'storage', trace: 'T' }
  for (let at = 0; at < body.length; at += 65_536) {
    const last = at + 65_536 >= body.length
    engine.send(
      at === 0 ? KIND.CALL : KIND.DATA,
      last ? 0 : 1,
      id,
      at === 0 ? meta : undefined,
      body.subarray(at, at + 65_536),
    )
  }
  await engine.frame((f) => f.kind === KIND.DATA && f.id === id && !(f.flags & 1))
  const pieces = engine.frames.filter((f) => f.id === id && (f.kind === KIND.RESULT || f.kind === KIND.DATA))
  assert.equal(JSON.parse(Buffer.concat(pieces.map((f) => f.body))).item.text, text)
})

test('a file without custom storage is not asked', async () => {
  for (const [source, why] of [
    ['default.stream.mjs', 'has no custom storage'],
    ['a.mjs', 'has no custom storage'],
    ['nope.stream.mjs', 'is not loaded'],
  ]) {
    const { error } = await ask(source, { do: 'group', groupId: 'g' })
    assert.deepEqual(error, { message: `${source} ${why}`, code: 'step-unknown' })
  }
})

test('IMPORTED says of it what the config says', () => {
  const { handler, config, warnings } = loaded['memory.stream.mjs']
  assert.deepEqual([handler, config.baseConfig, warnings], [false, { storageType: 'custom', factory: true }, []])
})

test('custom storage without a factory is refused', async () => {
  const refused = async (factory) => {
    const source = `refused${refused.count++}.stream.mjs`
    engine.write({ [source]: stream(factory) })
    return (await engine.load(source))[source].refused.message
  }
  refused.count = 0
  const must =
    "config.baseConfig.factory must be a function that makes the stream's adapter, as storageType is 'custom', but it is"
  assert.equal(await refused('undefined'), `${must} undefined; is its import right?`)
  assert.equal(await refused('new StreamAdapter()'), `${must} an object`)
})

test('StreamAdapter: a query among the items of a group, and a clear of each', async () => {
  class Memory extends StreamAdapter {
    items = [
      { id: 1, n: 2, tags: ['x'], by: { name: 'ada' } },
      { id: 2, n: 1, text: 'b' },
      { id: 3, text: 'a', done: true },
      { id: 4, n: null, text: 'a', done: false },
    ]
    async getGroup() {
      return [...this.items]
    }
    async delete(_, id) {
      this.items = this.items.filter((item) => item.id !== id)
    }
  }
  const memory = new Memory('m')
  assert.equal(memory.streamName, 'm')
  const ids = async (filter) => (await memory.query('g', filter)).map(({ id }) => id)
  assert.deepEqual(await ids(), [1, 2, 3, 4])
  assert.deepEqual(await ids({ where: { text: 'a' } }), [3, 4])
  assert.deepEqual(await ids({ where: { text: 'a', done: true } }), [3])
  assert.deepEqual(await ids({ where: { tags: ['x'], by: { name: 'ada' } } }), [1])
  assert.deepEqual(await ids({ where: { n: null } }), [3, 4])
  assert.deepEqual(await ids({ orderBy: 'n' }), [3, 4, 2, 1])
  assert.deepEqual(await ids({ orderBy: 'n', orderDirection: 'desc' }), [1, 2, 3, 4])
  assert.deepEqual(await ids({ orderBy: 'text', orderDirection: 'asc', offset: 1, limit: 2 }), [3, 4])
  assert.deepEqual(await ids({ limit: 0 }), [])
  assert.deepEqual(await ids({ offset: 3, limit: null, where: null }), [4])
  await memory.send({ groupId: 'g' }, { type: 't', data: 1 })
  await memory.subscribe({ groupId: 'g' }, () => {})
  await memory.unsubscribe({ groupId: 'g' })
  await memory.clear('g')
  assert.deepEqual(memory.items, [])
})
