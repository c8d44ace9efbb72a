import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { $default, $import, $importFrom, $namespace, $require, $unwrap } from '../lib/interop.mjs'

const folder = mkdtempSync(join(tmpdir(), 'motia-interop-'))
after(() => rmSync(folder, { recursive: true }))
let count = 0

/** A module of `text`, freshly written: {url, exports} */
function module(text, extension = 'cjs') {
  const file = join(folder, `m${count++}.${extension}`)
  writeFileSync(file, text)
  return pathToFileURL(file).href
}

const LODASH_LIKE = `
  function api() { return 'called' }
  for (const name of ['get', 'set']) api[name] = () => name
  module.exports = api`
const COMPILED = `
  Object.defineProperty(exports, '__esModule', { value: true })
  exports.default = Object.freeze({ secret: 1 })
  exports['na' + 'med'] = 2`
const COMPILED_WITHOUT_DEFAULT = `
  Object.defineProperty(exports, '__esModule', { value: true })
  exports.helper = () => 'help'`
const PRIVATE_MEMBERS = `
  class Client { #token = 't'; token() { return this.#token } static create() { return new Client() } }
  Object.defineProperty(exports, '__esModule', { value: true })
  exports.default = Client`

const load = (url) => createRequire(import.meta.url)(url.replace('file://', ''))

test('$unwrap: the default of a compiled package, everything of another', () => {
  const lodash = load(module(LODASH_LIKE))
  assert.equal($unwrap(lodash), lodash)
  assert.deepEqual($unwrap(load(module(COMPILED))), { secret: 1 })
  const helpers = load(module(COMPILED_WITHOUT_DEFAULT))
  assert.equal($unwrap(helpers).helper(), 'help')
  for (const value of [null, undefined, 'text', 5]) assert.equal($unwrap(value), value)
})

test('$default: both idioms of a compiled package give the same', () => {
  const exports = load(module(COMPILED))
  const X = $unwrap(exports)
  assert.equal($default(X), X)
  assert.equal($default(exports), X)
  assert.equal($default('text'), 'text')
  const Client = $unwrap(load(module(PRIVATE_MEMBERS)))
  assert.equal($default(Client), Client)
  assert.equal($default(Client).create().token(), 't')
  assert.ok(new Client() instanceof $default(Client))
})

test('$default throws where plain JavaScript would', () => {
  assert.throws(() => $default(undefined), TypeError)
  assert.throws(() => $default(null), TypeError)
})

test('$namespace: all names that running the package showed, live', () => {
  const lodash = load(module(LODASH_LIKE))
  const ns = $namespace(lodash)
  assert.deepEqual(Object.keys(ns), ['get', 'set', 'default'])
  assert.equal(ns.get(), 'get')
  assert.equal(ns.default(), 'called')
  lodash.get = () => 'changed'
  assert.equal(ns.get(), 'changed')
  const compiled = $namespace(load(module(COMPILED)))
  assert.deepEqual([compiled.named, compiled.default], [2, { secret: 1 }])
})

test('$namespace: inherited names, and packages that are no object', () => {
  const ns = $namespace(Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }))
  assert.deepEqual([ns.inherited, ns.own], [1, 2])
  assert.deepEqual(Object.keys($namespace('text')), ['default'])
  assert.equal($namespace('text').default, 'text')
})

test('$import of CommonJS: the missing names, and the unwrapped default', async () => {
  const lodash = module(LODASH_LIKE)
  assert.equal((await import(lodash)).get, undefined, 'without help the name is missing: else this test proves nothing')
  const { get, default: api } = await $import(import(lodash))
  assert.deepEqual([get(), api()], ['get', 'called'])
  const compiled = await $import(import(module(COMPILED)))
  assert.deepEqual([compiled.named, compiled.default], [2, { secret: 1 }])
  const Client = (await $import(import(module(PRIVATE_MEMBERS)))).default
  assert.equal(Client.create().token(), 't')
})

test('$import of ES modules and builtins: as they are', async () => {
  const commonJs = module(LODASH_LIKE)
  const modules = [
    `import api from '${commonJs}'; export default api; export const extra = 1`,
    `export default { a: 1 }; export const b = 2`,
    `export const a = 1; export default { a }`,
    `export const named = 1`,
    `export default class { #x = 1 }`,
  ]
  for (const text of modules) {
    const url = module(text, 'mjs')
    assert.equal(await $import(import(url)), await import(url), text)
  }
  assert.equal(await $import(import('node:fs')), await import('node:fs'))
  await assert.rejects($import(import('./missing.mjs')), { code: 'ERR_MODULE_NOT_FOUND' })
})

/** The list that the compiler gives: `one.ts` was compiled to `out.cjs`, `bad.ts` could not be. */
const list = () => {
  writeFileSync(join(folder, 'out.cjs'), 'module.exports = { one: 1 }')
  return {
    folder,
    files: { [join(folder, 'one.ts')]: 'out.cjs' },
    refused: { [join(folder, 'bad.ts')]: 'bad.ts does not compile' },
    aliases: { [join(folder, 'steps.ts')]: [['@/*', [join(folder, '*')]]] },
    sdk: { motia: module('export const sdk = true', 'mjs') },
    import: (specifier) => import(specifier),
  }
}

test('$require finds compiled files, data and packages from the source', () => {
  writeFileSync(join(folder, 'data.json'), '{"here":true}')
  const require = $require(join(folder, 'steps.ts'), list())
  assert.deepEqual(require('./data.json'), { here: true })
  for (const name of ['./one', './one.js', './one.ts', join(folder, 'one'), '@/one']) {
    assert.deepEqual(require(name), { one: 1 }, name)
  }
  assert.equal(require.resolve('./one'), join(folder, 'out.cjs'))
  assert.equal(require.resolve('./data.json'), join(folder, 'data.json'))
  assert.equal(require('node:path').join, join)
  assert.throws(() => require('./bad'), { name: 'SyntaxError', message: 'bad.ts does not compile' })
  assert.throws(() => require('./gone'), { code: 'MODULE_NOT_FOUND' })
  assert.throws(() => require(1), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('$importFrom finds the same, and says what is missing as seen from the source', async () => {
  const source = join(folder, 'steps.ts')
  const load = $importFrom(source, list())
  for (const name of ['./one', './one.js', pathToFileURL(join(folder, 'one.ts')).href, '@/one']) {
    assert.equal((await load(name)).one, 1, name)
  }
  assert.equal((await load('./data.json')).default.here, true)
  assert.equal((await load('motia')).sdk, true)
  assert.equal((await load('node:path')).join, join)
  await assert.rejects(load('./bad'), { name: 'SyntaxError', message: 'bad.ts does not compile' })
  const message = (what, name) => `Cannot find ${what} '${name}' imported from ${source}`
  await assert.rejects(load('./gone'), { code: 'ERR_MODULE_NOT_FOUND', message: message('module', './gone') })
  await assert.rejects(load('gone-package'), {
    code: 'ERR_MODULE_NOT_FOUND',
    message: message('package', 'gone-package'),
  })
})
