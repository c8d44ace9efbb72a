// Where ES modules and CommonJS packages meet. The compiler puts calls of these into user code, at the places where
// Node's own rules would give something else than the bundlers and transpilers that projects were written for.
// Nothing here wraps a package's object in a proxy or writes to it: a class with private members or a frozen export
// would break. It is CommonJS, as compiled code of both formats needs it on every Node.
'use strict'

const isObject = (x) => (typeof x === 'object' && x !== null) || typeof x === 'function'

/**
 * `X.default`, where X was imported. Projects hold both idioms for packages with `__esModule`: the import is the
 * value, or its `default` is. As X is unwrapped already (see `$unwrap`), `default` leads on only where there is one.
 */
function $default(x) {
  // undefined.default has to throw as it does in plain JavaScript.
  if (x === undefined || x === null) return x.default
  return isObject(x) && 'default' in x ? x.default : x
}

/**
 * What `import X from` means for the exports of a CommonJS module: the `default` that it was compiled from, if it
 * was, and otherwise everything. A compiled module without a default is its exports too: `import pkg from` and then
 * `pkg.name` is how Node itself tells people to import those.
 */
function $unwrap(exports) {
  return isObject(exports) && exports.__esModule && 'default' in exports ? exports.default : exports
}

/**
 * What `import * as ns from` means for the exports of a CommonJS module: all names that running it showed. Node's lexer
 * finds only those that it can see in the text (none in lodash, for example). Getters keep them live.
 */
function $namespace(exports) {
  // What stands for a package that is not there has every member already.
  if (isObject(exports) && exports[Symbol.for('motia.stub')] === true) return exports
  return namespaceOf(exports, isObject(exports) ? enumerableNames(exports) : [])
}

/** Namespace to result: an `import()` in a handler runs often, and there is one namespace per module. */
const imported = new WeakMap()

/**
 * The result of `import()`. A CommonJS module gets a namespace as above; an ES module's own is returned as it is.
 */
async function $import(promise) {
  const namespace = await promise
  if (!isObject(namespace)) return namespace
  let result = imported.get(namespace)
  if (result === undefined) {
    const exports = commonJsExports(namespace)
    result = exports === undefined ? namespace : namespaceOf(exports, enumerableNames(exports))
    imported.set(namespace, result)
  }
  return result
}

const enumerableNames = (object) => {
  const names = []
  // Inherited ones too: packages export instances and subclasses.
  for (const name in object) names.push(name)
  return names
}

function namespaceOf(exports, names) {
  const namespace = Object.create(null, { [Symbol.toStringTag]: { value: 'Module' } })
  for (const name of names) {
    if (name !== 'default') Object.defineProperty(namespace, name, { get: () => exports[name], enumerable: true })
  }
  return Object.defineProperty(namespace, 'default', { get: () => $unwrap(exports), enumerable: true })
}

/**
 * The `module.exports` behind a namespace, or undefined for an ES module. Node does not say which it is, but all
 * names of a CommonJS module's namespace are members of its default, and that is the exports of a module in
 * `require.cache`.
 */
function commonJsExports(namespace) {
  if (!('default' in namespace)) return undefined
  const exports = namespace.default
  if (!isObject(exports)) return undefined
  for (const name of Object.keys(namespace)) {
    if (name !== 'default' && name !== 'module.exports' && !(name in exports)) return undefined
  }
  for (const id in require.cache) {
    if (require.cache[id]?.exports === exports) return exports
  }
  return undefined
}

module.exports = { $default, $unwrap, $namespace, $import }
// It needs the above: so it comes last.
Object.assign(module.exports, require('./computed.cjs'))
