// `import(x)`, `require(x)` and `import.meta.resolve(x)`, where only running the code shows what x is. The user wrote x for the source file, so
// it is resolved from there; if it names a source of the project, the module that this was compiled to is loaded.
// The compiler gives the list of those (crates/motia-compile/src/modules.rs).
'use strict'

const { existsSync, realpathSync, statSync } = require('node:fs')
const { createRequire, isBuiltin } = require('node:module')
const { dirname, join, resolve } = require('node:path')
const { fileURLToPath, pathToFileURL } = require('node:url')
const { $import, $namespace } = require('./interop.cjs')

/** `import` for one source file. */
function $importFrom(source, modules) {
  return async (specifier, options) => {
    const target = locate(source, modules, `${specifier}`)
    switch (target.kind) {
      case 'compiled':
        return $import(import(pathToFileURL(target.path).href))
      case 'sdk':
        return import(target.url)
      case 'json':
        return $namespace(createRequire(source)(target.path))
      case 'file':
        if (!existsSync(target.path)) throw missing('module', specifier, source)
        return $import(import(target.url, options))
      default:
        return $import(importPackage(source, modules, target.specifier, options))
    }
  }
}

/** `require` for one source file. */
function $require(source, modules) {
  const native = createRequire(source)
  const require = (specifier) => {
    const target = locate(source, modules, specifier)
    if (target.kind === 'sdk') return native(fileURLToPath(target.url))
    return native(target.kind === 'compiled' ? target.path : specifier)
  }
  const resolve = (specifier, options) => {
    const target = locate(source, modules, specifier)
    // Where the code is that would run; of data, where the user put it.
    return target.kind === 'compiled' && !target.data ? target.path : native.resolve(specifier, options)
  }
  resolve.paths = native.resolve.paths
  return Object.assign(require, { resolve, cache: native.cache, extensions: native.extensions, main: native.main })
}

/** `import.meta.resolve` for a source file, by its URL. Packages are found by the compiled file's own, `native`. */
function $resolve(source, native, specifier) {
  return /^(\.{0,2}\/|file:)/.test(specifier) ? new URL(specifier, source).href : native(specifier)
}

/** What a specifier in a source file stands for: {kind, …} */
function locate(source, modules, specifier) {
  if (typeof specifier !== 'string' || isBuiltin(specifier)) return { kind: 'package', specifier }
  const sdk = sdkModule(modules, specifier)
  if (sdk !== undefined) return { kind: 'sdk', url: sdk }
  const path = asPath(source, specifier)
  if (path === undefined) {
    for (const path of aliased(modules.aliases[source] ?? [], specifier)) {
      const found = compiled(modules, path)
      if (found !== undefined) return found
    }
    return { kind: 'package', specifier }
  }
  const found = compiled(modules, path)
  if (found !== undefined) return found
  if (path.endsWith('.json') && existsSync(path)) return { kind: 'json', path }
  // With its query, which makes it another module to Node.
  return { kind: 'file', path, url: specifier.startsWith('file:') ? specifier : pathToFileURL(path).href }
}

/** As the compiler has it: see SdkModule. */
function sdkModule({ sdk }, specifier) {
  if (specifier === 'motia' || specifier.startsWith('motia/')) return sdk.motia
  if (!specifier.startsWith('@motiadev/')) return undefined
  const name = specifier.slice('@motiadev/'.length)
  return name.startsWith('plugin-') ? sdk.plugin : name.startsWith('adapter-') ? sdk.adapter : sdk.core
}

function asPath(source, specifier) {
  if (specifier.startsWith('file:')) return fileURLToPath(specifier)
  return /^(\.{0,2}\/|\.{1,2}$)/.test(specifier) ? resolve(dirname(source), specifier) : undefined
}

/** The paths that `paths` and `baseUrl` of tsconfig.json make of a specifier: of the first pattern that matches, and of `*`. */
function* aliased(aliases, specifier) {
  let matched = false
  for (const [pattern, targets] of aliases) {
    const [prefix, suffix] = pattern.split('*')
    const fits =
      suffix === undefined
        ? specifier === prefix
        : specifier.length >= prefix.length + suffix.length &&
          specifier.startsWith(prefix) &&
          specifier.endsWith(suffix)
    if (!fits || (matched && pattern !== '*')) continue
    matched = true
    const star = suffix === undefined ? '' : specifier.slice(prefix.length, specifier.length - suffix.length)
    // A function, as `$` in a name is no pattern.
    for (const target of targets) yield target.replace('*', () => star)
  }
}

const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const STAND_INS = {
  '.js': ['.ts', '.tsx', '.js', '.jsx'],
  '.jsx': ['.tsx', '.jsx'],
  '.mjs': ['.mts', '.mjs'],
  '.cjs': ['.cts', '.cjs'],
}

/** The compiled module of the source at a path, whose extension may be left out or be that of JavaScript. */
function compiled(modules, path) {
  for (const base of new Set([path, real(path)])) {
    for (const candidate of candidates(base)) {
      const output = modules.files[candidate]
      if (output !== undefined) {
        return { kind: 'compiled', path: join(modules.folder, output), data: candidate.endsWith('.json') }
      }
      const refused = modules.refused[candidate]
      if (refused !== undefined) throw new SyntaxError(refused)
    }
  }
  return undefined
}

function* candidates(path) {
  const [ending] = /\.[cm]?jsx?$/.exec(path) ?? []
  if (ending !== undefined) {
    for (const standIn of STAND_INS[ending]) yield path.slice(0, -ending.length) + standIn
  }
  yield path
  for (const extension of EXTENSIONS) yield path + extension
  for (const extension of EXTENSIONS) yield join(path, `index${extension}`)
}

/** The path without links: sources are listed by that. The file itself may come with an extension only. */
function real(path) {
  try {
    return realpathSync(path)
  } catch {
    try {
      return join(realpathSync(dirname(path)), path.slice(dirname(path).length + 1))
    } catch {
      return path
    }
  }
}

/**
 * A package, as Node finds it from the source. Only compiled files can be asked to import by name, and these see what
 * lies in the root's `node_modules` or above; what is nearer to the source, or is beside a source outside of the root,
 * is found the way that `require` does.
 */
async function importPackage(source, modules, specifier, options) {
  const path = nearer(source, modules, specifier)
  if (path !== undefined) return import(pathToFileURL(path).href, options)
  try {
    return await modules.import(specifier, options)
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error
    const path = resolved(source, specifier)
    if (path !== undefined) return import(pathToFileURL(path).href, options)
    if (!error.message.includes(`'${specifier}'`)) throw error
    throw missing('package', specifier, source)
  }
}

/** What Node would say, had it been asked from the source. */
const missing = (what, specifier, source) =>
  Object.assign(new Error(`Cannot find ${what} '${specifier}' imported from ${source}`), {
    code: 'ERR_MODULE_NOT_FOUND',
  })

function nearer(source, modules, specifier) {
  if (isBuiltin(specifier) || /^[a-z]+:/.test(specifier)) return undefined
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  for (let folder = dirname(source); !modules.folder.startsWith(join(folder, '/')); folder = dirname(folder)) {
    if (isFolder(join(folder, 'node_modules', name))) return resolved(source, specifier)
    if (folder === dirname(folder)) break
  }
  return undefined
}

function resolved(source, specifier) {
  try {
    return createRequire(source).resolve(specifier)
  } catch {
    return undefined
  }
}

const isFolder = (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

module.exports = { $importFrom, $require, $resolve }
