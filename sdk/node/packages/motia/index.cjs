// What `motia` and `@motiadev/core` export as values. Everything else that they export is types (index.d.ts).
// CommonJS, so that `require` and `import` see one and the same module on every Node.
'use strict'

const { describe } = require('./descriptions.cjs')
const { StreamAdapter } = require('./stream-adapter.cjs')

/** Both do nothing but carry the types of `motia.config`. */
const config = (value) => value
const defineConfig = (value) => value

const SEND = Symbol.for('motia.log')
const LEVELS = ['debug', 'info', 'warn', 'error']

/**
 * A logger for code outside of handlers; inside, `ctx.logger` is the one. In a worker its lines are log lines of the
 * call that runs. Without one, in a user's tests for example, they are printed.
 */
class Logger {
  #fields
  #listeners = []

  constructor(fields) {
    this.#fields = fields
    for (const level of LEVELS) this[level] = (message, details) => this.#write(level, message, details)
    this.log = this.info
  }

  child(fields) {
    return new Logger({ ...this.#fields, ...fields })
  }

  addListener(listener) {
    this.#listeners.push(listener)
  }

  #write(level, message, details) {
    const all = this.#fields === undefined ? details : { ...this.#fields, ...asFields(details) }
    for (const listener of this.#listeners) listener(level, message, all)
    const send = globalThis[SEND]
    if (send !== undefined) send(level, message, all)
    else if (all === undefined) console[level](message)
    else console[level](message, all)
  }
}

const asFields = (details) =>
  details !== null && typeof details === 'object' && !(details instanceof Error)
    ? details
    : details === undefined
      ? {}
      : { details }

/** All of them mean: the embedded store. */
const builtIn = describe(
  'MemoryStateAdapter',
  'FileStateAdapter',
  'MemoryStreamAdapterManager',
  'FileStreamAdapterManager',
  'DefaultQueueEventAdapter',
  'DefaultCronAdapter',
)

module.exports = { config, defineConfig, Logger, globalLogger: new Logger(), StreamAdapter, ...builtIn }
