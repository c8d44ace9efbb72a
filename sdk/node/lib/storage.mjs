// Custom storage: the items of a stream are where the adapter that its config makes keeps them. The engine asks by CALL
// and tells those who watch; the adapter only stores.
import { jsonOf } from './response.mjs'
import { nameOf } from './streaming.mjs'

const REQUIRED = ['get', 'set', 'delete', 'getGroup']
/** Marks what StreamAdapter has by default, whichever copy of the package a project has it from. */
const DEFAULT = Symbol.for('motia.default')

/** What a CALL of the kind `storage` runs: resolves with JSON text. */
export function createStorage(config) {
  const storage = new Storage(config)
  return (question) => storage.answer(question)
}

class Storage {
  #config
  #adapter

  constructor(config) {
    this.#config = config
  }

  /** Methods of adapters may be async or not. */
  async answer({ do: what, groupId, id, data, filter }) {
    const adapter = await this.#made()
    switch (what) {
      case 'get':
        return this.#item('get', await adapter.get(groupId, id))
      case 'set': {
        const there = (await adapter.get(groupId, id)) != null
        const stored = (await adapter.set(groupId, id, data)) ?? data
        return `{"there":${there},"item":${this.#item('set', stored)}}`
      }
      case 'delete': {
        const before = await adapter.get(groupId, id)
        const removed = await adapter.delete(groupId, id)
        return removed === undefined ? this.#item('get', before) : this.#item('delete', removed)
      }
      case 'group':
        return this.#items('getGroup', await adapter.getGroup(groupId))
      case 'clear':
        return this.#clear(adapter, groupId)
      case 'query':
        return isOwn(adapter.query)
          ? `{"items":${this.#items('query', await adapter.query(groupId, filter ?? {}))},"chosen":true}`
          : `{"items":${this.#items('getGroup', await adapter.getGroup(groupId))},"chosen":false}`
      default:
        throw new TypeError(`storage cannot do '${what}'`)
    }
  }

  async #clear(adapter, groupId) {
    const items = await adapter.getGroup(groupId)
    // Now: the list may be the adapter's own, and empty afterwards.
    const json = this.#items('getGroup', items)
    if (typeof adapter.clear === 'function') await adapter.clear(groupId)
    else for (const id of this.#ids(items)) await adapter.delete(groupId, id)
    return json
  }

  #ids(items) {
    return items.map(({ id }) => {
      if (id != null) return id
      throw new TypeError(`${this.#returned('getGroup')} an item without an id, so the group cannot be cleared`)
    })
  }

  /** One adapter for all calls. A factory that failed, as its database was not up yet perhaps, is tried again. */
  #made() {
    this.#adapter ??= this.#make().catch((error) => {
      this.#adapter = undefined
      throw error
    })
    return this.#adapter
  }

  async #make() {
    const { name, baseConfig } = this.#config
    const adapter = await baseConfig.factory(name)
    if (adapter === null || typeof adapter !== 'object') {
      throw new TypeError(`the factory of stream '${name}' returned ${nameOf(adapter)}, not an adapter`)
    }
    const missing = REQUIRED.find((method) => typeof adapter[method] !== 'function')
    if (missing === undefined) return adapter
    throw new TypeError(
      `the adapter of stream '${name}' has no method '${missing}'; it must have ${REQUIRED.join(', ')}`,
    )
  }

  /** The JSON of an item, or `null`. */
  #item(method, value) {
    if (value == null) return 'null'
    const json = jsonOf(value, `what ${this.#returned(method)}`)
    if (json.startsWith('{')) return json
    throw new TypeError(`${this.#returned(method)} ${nameOf(value)}; an item must be an object, also as JSON`)
  }

  #items(method, values) {
    if (!Array.isArray(values)) {
      throw new TypeError(`${this.#returned(method)} ${nameOf(values)}; it must return an array of items`)
    }
    const missing = values.findIndex((value) => value == null)
    if (missing === -1) return `[${values.map((value) => this.#item(method, value)).join()}]`
    throw new TypeError(
      `${this.#returned(method)} a list with ${values[missing]} in it; an item must be an object, also as JSON`,
    )
  }

  #returned(method) {
    return `${method}() of the adapter of stream '${this.#config.name}' returned`
  }
}

const isOwn = (method) => typeof method === 'function' && method[DEFAULT] !== true
