// Adapters as descriptions: `new RedisStateAdapter({ host })` in motia.config says which backend the engine is to use
// and how; the engine has the backend itself.
'use strict'

/** A class of descriptions with the given name. */
function describe(name) {
  const Adapter = class {
    /**
     * All forms that projects use: options in one object or in two (connection, then the rest), and a client that
     * exists already, of which the connection's options count.
     */
    constructor(connection, options) {
      this.adapter = name
      this.options = { ...connectionOf(connection), ...options }
    }

    toJSON() {
      return { adapter: this.adapter, options: this.options }
    }
  }
  return Object.defineProperty(Adapter, 'name', { value: name })
}

function connectionOf(connection) {
  if (connection === null || typeof connection !== 'object')
    return connection === undefined ? {} : { url: String(connection) }
  const plain = Object.getPrototypeOf(connection) === Object.prototype || Object.getPrototypeOf(connection) === null
  if (plain) return connection
  const { options } = connection
  return options !== null && typeof options === 'object' ? { ...options } : {}
}

/** Classes of descriptions by these names. */
exports.describe = (...names) => Object.fromEntries(names.map((name) => [name, describe(name)]))
