// Who may watch streams: `authenticate` of motia.config, `canAccess` of streams.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Engine, KIND, MORE, step } from './support/engine.mjs'
import { ZOD_3, ZOD_4 } from './support/zod.mjs'
import { configJson } from '../lib/config-json.mjs'

const stream = (canAccess) =>
  `export const config = { name: 'chat', schema: {}, baseConfig: { storageType: 'default' }, canAccess: ${canAccess} }\n`

/** The documentation's, with one case more for each thing that can go wrong. */
const CONFIG = `
  const sessions = { ada: { userId: 'ada', projectIds: ['p1'] }, big: { text: 'ž'.repeat(400_000) } }
  const tokenOf = (request) => {
    const protocol = request.headers['sec-websocket-protocol']
    if (protocol?.includes('Authorization')) return protocol.split(',')[1].trim()
    return new URL(request.url, 'http://localhost').searchParams.get('authToken') ?? undefined
  }
  const odd = {
    echo: (request) => request,
    nothing: () => undefined,
    false: () => false,
    sync: () => { throw Object.assign(new TypeError('no such thing'), { code: 'E_X' }) },
    function: () => () => {},
    cycle: () => { const me = {}; return (me.me = me) },
    forever: () => new Promise(() => {}),
    exits: () => process.exit(3),
  }
  class Auth {
    #sessions = sessions
    authenticate(request) {
      const token = tokenOf(request)
      console.log('asked', token)
      if (token === undefined) return null
      if (Object.hasOwn(odd, token)) return odd[token](request)
      return this.find(token)
    }
    async find(token) {
      await null
      if (this.#sessions[token] === undefined) throw new Error('Invalid token: ' + token)
      return this.#sessions[token]
    }
  }
  export default { streamAuth: new Auth() }
`

const FILES = {
  'motia.config.mjs': CONFIG,
  'open.stream.mjs': `export const config = { name: 'open', schema: {}, baseConfig: { storageType: 'default' } }`,
  'member.stream.mjs': stream(`({ groupId, id }, context) => {
    console.log('may', { groupId, id, context })
    return context ? context.projectIds.includes(groupId) : false
  }`),
  'async.stream.mjs': stream(`async ({ groupId }) => { await null; return groupId === 'public' ? 'yes' : '' }`),
  'none.stream.mjs': stream('() => 0'),
  'throws.stream.mjs': stream('async (subscription, context) => context.projectIds'),
  'this.stream.mjs': stream(`function () { return this.name === 'chat' }`),
  'whole.stream.cjs': `module.exports = { config: { name: 'w', schema: {}, baseConfig: { storageType: 'default' }, canAccess: (subscription, context) => context === null } }`,
  'undefined.stream.mjs': stream('undefined'),
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

const ask = (kind, source, question) => engine.call(source, { kind }, JSON.stringify(question))

/** The answer as a value, or `{error}`. */
async function answer(kind, source, question) {
  const { meta, body } = await ask(kind, source, question)
  if (meta.error !== undefined) return meta
  assert.deepEqual(meta, { type: 'json' })
  return JSON.parse(body)
}

const authenticate = (url, headers = {}) => answer('authenticate', 'motia.config.mjs', { headers, url })
const access = (source, groupId, context = null, id = undefined) =>
  answer('access', source, { subscription: { groupId, id }, context })

test('authenticate gets headers and url, and its context is the answer', async () => {
  const ada = { userId: 'ada', projectIds: ['p1'] }
  assert.deepEqual(await authenticate('/?authToken=ada'), ada)
  assert.deepEqual(await authenticate('/', { 'sec-websocket-protocol': 'Authorization, ada' }), ada)
  assert.deepEqual(await authenticate('/x?authToken=echo', { cookie: 'a=1; b=2' }), {
    headers: { cookie: 'a=1; b=2' },
    url: '/x?authToken=echo',
  })
})

test('nobody in particular is null', async () => {
  assert.equal(await authenticate('/'), null)
  assert.equal(await authenticate('/?authToken=nothing'), null)
  assert.equal(await authenticate('/?authToken=false'), false)
})

test('what authenticate throws is an error with the user’s line', async () => {
  const { error } = await authenticate('/?authToken=eve')
  assert.equal(error.message, 'Invalid token: eve')
  assert.match(error.stack, /motia\.config\.mjs:\d+/)
  assert.doesNotMatch(error.stack, /sdk\/node\/lib/)
  assert.equal((await authenticate('/?authToken=sync')).error.code, 'E_X')
})

test('a context that is no JSON is an error', async () => {
  assert.match(
    (await authenticate('/?authToken=function')).error.message,
    /^what streamAuth\.authenticate returned is a function, which has no JSON form/,
  )
  assert.match(
    (await authenticate('/?authToken=cycle')).error.message,
    /returned cannot be written as JSON: .*circular/,
  )
})

test('canAccess gets the subscription and the context; its answer counts by its truth', async () => {
  assert.equal(await access('member.stream.mjs', 'p1', { projectIds: ['p1'] }), true)
  assert.equal(await access('member.stream.mjs', 'p2', { projectIds: ['p1'] }, 'i'), false)
  assert.equal(await access('member.stream.mjs', 'p1'), false)
  assert.equal(await access('async.stream.mjs', 'public'), true)
  assert.equal(await access('async.stream.mjs', 'private'), false)
  assert.equal(await access('none.stream.mjs', 'g'), false)
  assert.equal(await access('this.stream.mjs', 'g'), true)
  assert.equal(await access('whole.stream.cjs', 'g'), true)
})

test('what canAccess throws is an error', async () => {
  const { error } = await access('throws.stream.mjs', 'g')
  assert.equal(error.name, 'TypeError')
  assert.match(error.stack, /throws\.stream\.mjs:1/)
})

test('what is printed belongs to the call', async () => {
  const id = engine.start(
    'member.stream.mjs',
    { kind: 'access' },
    JSON.stringify({ subscription: { groupId: 'printed' }, context: null }),
  )
  await engine.result(id)
  const line = engine.logs.find(({ message }) => message.includes('printed'))
  assert.deepEqual([line.call, line.source], [id, 'console'])
})

test('questions and contexts may be long', async () => {
  const id = 1_000_000
  const question = Buffer.from(JSON.stringify({ headers: { long: 'ž'.repeat(100_000) }, url: '/?authToken=big' }))
  const meta = { step: 'motia.config.mjs', kind: 'authenticate', trace: 'T' }
  engine.send(KIND.CALL, MORE, id, meta, question.subarray(0, 50_001))
  engine.send(KIND.DATA, MORE, id, undefined, question.subarray(50_001, 100_000))
  engine.send(KIND.DATA, 0, id, undefined, question.subarray(100_000))
  assert.deepEqual((await engine.result(id)).meta, { type: 'json' })
  await engine.frame((f) => f.kind === KIND.DATA && f.id === id && !(f.flags & MORE))
  const pieces = engine.frames.filter((f) => f.id === id && (f.kind === KIND.RESULT || f.kind === KIND.DATA))
  assert.equal(JSON.parse(Buffer.concat(pieces.map(({ body }) => body))).text.length, 400_000)
})

test('a file is asked only what it can answer', async () => {
  for (const [kind, source, message] of [
    ['access', 'open.stream.mjs', 'open.stream.mjs has no canAccess'],
    ['access', 'undefined.stream.mjs', 'undefined.stream.mjs has no canAccess'],
    ['access', 'a.mjs', 'a.mjs has no canAccess'],
    ['access', 'motia.config.mjs', 'motia.config.mjs has no canAccess'],
    ['access', 'nope.stream.mjs', 'nope.stream.mjs is not loaded'],
    ['authenticate', 'member.stream.mjs', 'member.stream.mjs has no streamAuth.authenticate'],
    ['api', 'member.stream.mjs', 'member.stream.mjs exports no handler'],
    ['event', 'motia.config.mjs', 'motia.config.mjs exports no handler'],
  ]) {
    assert.deepEqual((await ask(kind, source, {})).meta, { error: { message, code: 'step-unknown' } })
  }
})

test('a question that waits for ever does not settle, whatever it is told', async () => {
  const id = engine.start('motia.config.mjs', { kind: 'authenticate' }, '{"headers":{},"url":"/?authToken=forever"}')
  engine.send(KIND.CANCEL, 0, id, { reason: 'timeout' })
  assert.equal(await authenticate('/'), null)
  assert.ok(!engine.frames.some((f) => f.kind === KIND.RESULT && f.id === id))
})

test('IMPORTED says what can be asked; its config has names in the place of functions', () => {
  const handlers = Object.entries(loaded).map(([source, { handler }]) => [source, handler])
  assert.deepEqual(Object.fromEntries(handlers), {
    'motia.config.mjs': true,
    'open.stream.mjs': false,
    'member.stream.mjs': true,
    'async.stream.mjs': true,
    'none.stream.mjs': true,
    'throws.stream.mjs': true,
    'this.stream.mjs': true,
    'whole.stream.cjs': true,
    'undefined.stream.mjs': false,
    'a.mjs': true,
  })
  assert.equal(loaded['member.stream.mjs'].config.canAccess, true)
  assert.deepEqual(loaded['undefined.stream.mjs'].warnings, [
    'config.canAccess is undefined, so everybody may watch the stream',
  ])
  assert.deepEqual(loaded['open.stream.mjs'].warnings, [])
})

test('what is no function is refused, as nobody would be asked', async () => {
  const files = {
    'false.stream.mjs': stream('false'),
    'list.stream.mjs': stream('[() => true]'),
    'empty/motia.config.mjs': 'export default { streamAuth: {} }',
    'text/motia.config.mjs': `export default { streamAuth: { authenticate: 'jwt' } }`,
    'off/motia.config.mjs': 'export default { plugins: [], adapters: {}, streamAuth: undefined, app: undefined }',
  }
  engine.write(files)
  const said = await engine.load(...Object.keys(files))
  const must = (name, what) => `config.${name} must be a function, but it is ${what}`
  assert.equal(said['false.stream.mjs'].refused.message, must('canAccess', 'a boolean'))
  assert.equal(said['list.stream.mjs'].refused.message, must('canAccess', 'an array'))
  assert.equal(
    said['empty/motia.config.mjs'].refused.message,
    must('streamAuth.authenticate', 'undefined; is its import right?'),
  )
  assert.equal(said['text/motia.config.mjs'].refused.message, must('streamAuth.authenticate', 'the string "jwt"'))
  assert.deepEqual([said['off/motia.config.mjs'].handler, said['off/motia.config.mjs'].warnings], [false, []])
})

test('a later LOAD replaces what is asked', async () => {
  engine.write({ 'later.stream.mjs': stream('() => true') })
  await engine.load('later.stream.mjs')
  assert.equal(await access('later.stream.mjs', 'g'), true)
  engine.write({ 'now.stream.mjs': FILES['open.stream.mjs'] })
  const file = { source: 'later.stream.mjs', module: `${engine.root}/now.stream.mjs`, kind: 'stream' }
  engine.send(KIND.LOAD, 0, 0, { root: engine.root }, JSON.stringify([file]))
  await engine.frame((f) => f.kind === KIND.IMPORTED && f.meta.file === 'later.stream.mjs' && !f.meta.handler)
  assert.equal((await access('later.stream.mjs', 'g')).error.code, 'step-unknown')
})

test('contextSchema is JSON Schema, whichever way it is written', async () => {
  const written = { type: 'object', properties: { userId: { type: 'string' } }, required: ['userId'] }
  const schemas = [...ZOD_3, ...ZOD_4].map(([release, { z, source }]) => [
    release,
    z.object({ userId: z.string() }),
    source,
  ])
  for (const [release, contextSchema, source] of [...schemas, ['by hand', written, '/project/motia.config.ts']]) {
    const config = { streamAuth: { contextSchema, authenticate: () => null } }
    const { json, warnings } = await configJson(config, source, { instances: 'named' })
    assert.deepEqual(JSON.parse(json).streamAuth, { contextSchema: written, authenticate: true }, release)
    assert.deepEqual(warnings, [], release)
  }
  for (const [release, { z, source }] of ZOD_4) {
    const contextSchema = z.toJSONSchema(z.object({ userId: z.string() }))
    const { json } = await configJson({ streamAuth: { contextSchema } }, source, { instances: 'named' })
    assert.deepEqual(JSON.parse(json).streamAuth.contextSchema.properties, written.properties, release)
  }
})

test('an exit in authenticate fails its call, and the worker retires', async () => {
  assert.equal((await authenticate('/?authToken=exits')).error.name, 'ProcessExit')
  const { meta } = await engine.frame(({ kind }) => kind === KIND.RETIRE)
  assert.equal(meta.reason, 'process.exit was called in motia.config.mjs')
})
