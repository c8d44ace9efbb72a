// An exported config as the JSON that the engine gets: data as it is, schemas as JSON Schema, of functions only that
// they are there. What cannot be JSON is left out and named in a warning, never an error.
import { isSchema, toJsonSchema } from './schema/index.mjs'

const DEEPEST = 64
const MOST_WARNINGS = 20

/**
 * `source` is the absolute path of the user's file: its own zod converts its schemas. `instances: 'named'` shows
 * objects of classes as `{"class": name}`; in motia.config those are clients and custom adapters with whole libraries
 * behind them.
 */
export async function configJson(config, source, { instances = 'walked' } = {}) {
  const copier = new Copier(instances)
  const copy = copier.copy(config, 'config', 0)
  for (const { schema, path, into, key } of copier.schemas) {
    into[key] = await toJsonSchema(schema, source, (what) => copier.warn(`${path}${what}`))
  }
  return { json: JSON.stringify(copy), warnings: copier.warnings }
}

class Copier {
  schemas = []
  #warnings = []
  #instances
  #ancestors = new Set()

  constructor(instances) {
    this.#instances = instances
  }

  get warnings() {
    const more = this.#warnings.length - MOST_WARNINGS
    return more > 0 ? [...this.#warnings.slice(0, MOST_WARNINGS), `and ${more} more like these`] : this.#warnings
  }

  warn(text) {
    this.#warnings.push(text)
  }

  /**
   * The JSON value, or undefined for what is left out. Schemas are put into their place later, as that may take a
   * while.
   */
  copy(value, path, depth) {
    if (value === null || typeof value !== 'object') {
      if (typeof value === 'function') return true
      if (typeof value !== 'bigint') return value
      return this.warn(`${path} is a bigint, which JSON cannot hold`)
    }
    if (this.#ancestors.has(value)) return this.warn(`${path} is a cycle, which JSON cannot hold`)
    if (depth > DEEPEST) return this.warn(`${path} is nested too deep`)
    this.#ancestors.add(value)
    try {
      if (typeof value.toJSON === 'function') return this.copy(value.toJSON(), path, depth + 1)
      if (Array.isArray(value)) return this.#members(value, [], path, depth)
      if (this.#instances === 'named' && isInstance(value)) return { class: value.constructor.name }
      return this.#members(value, Object.create(null), path, depth)
    } finally {
      this.#ancestors.delete(value)
    }
  }

  #members(value, into, path, depth) {
    for (const key of Object.keys(value)) {
      const at = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`
      try {
        const member = value[key]
        if (depth === 0 && key === 'middleware') into[key] = Array.isArray(member) ? member.length : 1
        else if (isSchema(member)) this.schemas.push({ schema: member, path: at, into, key })
        else into[key] = this.copy(member, at, depth + 1)
      } catch (error) {
        this.warn(`${at} cannot be read: ${error?.message ?? error}`)
      }
    }
    return into
  }
}

function isInstance(value) {
  const prototype = Object.getPrototypeOf(value)
  // Plain objects of other realms count as plain.
  return prototype !== null && Object.getPrototypeOf(prototype) !== null
}
