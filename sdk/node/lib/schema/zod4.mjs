// zod 4, `zod/v4` inside zod 3.25 and zod mini as JSON Schema, by the project's own zod: it knows its schemas best.
// What it gets wrong for our purpose (refusing what a handler would get) is put right here.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { onlyBeforeChanges } from './zod4-string.mjs'

const DEEPEST = 60

export async function zod4ToJsonSchema(schema, source, warn) {
  const own = typeof schema.toJSONSchema === 'function'
  const zod = own ? undefined : await core(source)
  const convert = (part) => {
    const { $schema, ...json } = own ? part.toJSONSchema(OPTIONS) : zod.toJSONSchema(part, OPTIONS)
    return json
  }
  return inParts(convert, schema, '', warn, 0)
}

/**
 * Before 4.2 a schema cannot convert itself, and its package has to be found. The copy that the user's file has
 * loaded is the one that knows the descriptions, and loading the other one would cost time and memory.
 */
async function core(source) {
  const require = createRequire(source)
  const file = require.resolve('zod/v4/core')
  if (require.cache[file] !== undefined || !file.endsWith('.cjs')) return require(file)
  try {
    return await import(pathToFileURL(file.replace(/\.cjs$/, '.js')).href)
  } catch {
    return require(file)
  }
}

/**
 * Some schemas cannot be converted, such as `z.record(z.string())` of the zod 3 style. They cost only their own
 * place.
 */
function inParts(convert, schema, path, warn, depth) {
  try {
    const json = convert(schema)
    // A reference is one from the root of the document, and a part is no document.
    if (depth > 0 && JSON.stringify(json).includes('"$ref"')) throw new Error('it refers to itself')
    return json
  } catch (error) {
    const def = schema?._zod?.def
    const part = (inner, name) => inParts(convert, inner, `${path}${name}`, warn, depth + 1)
    if (depth < DEEPEST) {
      switch (def?.type) {
        case 'object':
          return objectInParts(def, part)
        case 'array':
          return { type: 'array', items: part(def.element, '[]') }
        case 'union':
          return { anyOf: def.options.map((option, i) => part(option, `(${i})`)) }
        case 'nullable':
          return { anyOf: [part(def.innerType, ''), { type: 'null' }] }
        case 'optional':
        case 'default':
        case 'prefault':
        case 'readonly':
        case 'nonoptional':
          return part(def.innerType, '')
      }
    }
    warn(`${path}: zod cannot convert this part (${error.message}), so anything is accepted there`)
    return {}
  }
}

function objectInParts(def, part) {
  const names = Object.keys(def.shape)
  const properties = {}
  for (const name of names) {
    properties[name] = part(def.shape[name], `.${name}`)
  }
  const json = { type: 'object', properties }
  requireMembers(json, def.shape, names)
  if (def.catchall?._zod.def.type === 'never') json.additionalProperties = false
  return json
}

/** Called by zod for every schema it has converted. */
function correct({ zodSchema, jsonSchema: json }) {
  const { def } = zodSchema._zod
  if (acceptsAnything(def)) {
    for (const key of Object.keys(json)) if (key !== 'description' && key !== 'title') delete json[key]
  }
  switch (def.type) {
    case 'string':
      onlyBeforeChanges(def, json)
      break
    case 'object':
      requireMembers(json, def.shape, json.required ?? [])
      break
    case 'literal':
      // Releases differ in what they call the type of several literals.
      if (json.enum !== undefined) delete json.type
      break
    case 'tuple':
      // Before 4.2 the schema of the rest took the place of the items.
      if (def.rest && !Array.isArray(json.items)) {
        delete json.items
        delete json.additionalItems
      }
  }
  // zod 4 no longer reads `z.string({ description })`, but keeps it.
  if (json.description === undefined && typeof def.description === 'string') json.description = def.description
}

const OPTIONS = {
  io: 'input',
  target: 'draft-7',
  unrepresentable: 'any',
  cycles: 'ref',
  reused: 'inline',
  override: correct,
}

const acceptsAnything = (def) => def.coerce === true || def.type === 'catch' || startsWithTransform(def)

/** `z.preprocess` and `z.transform`: a function sees the input first. */
const startsWithTransform = (def) =>
  def.type === 'transform' || (def.type === 'pipe' && def.in._zod.def.type === 'transform')

function requireMembers(json, shape, names) {
  const required = names.filter((name) => shape[name] !== undefined && !acceptsNothing(shape[name], 0))
  if (required.length > 0) json.required = required
  else delete json.required
}

/** Whether a member may be missing from its object: its schema takes undefined. */
function acceptsNothing(schema, depth) {
  const def = schema?._zod?.def
  if (def === undefined || depth > DEEPEST || startsWithTransform(def)) return true
  const nested = (inner) => acceptsNothing(inner, depth + 1)
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
    case 'catch':
    case 'any':
    case 'unknown':
    case 'undefined':
    case 'void':
    case 'custom':
      return true
    case 'string':
    case 'boolean':
      return def.coerce === true
    case 'literal':
      return def.values.includes(undefined)
    case 'nullable':
    case 'readonly':
      return nested(def.innerType)
    case 'pipe':
      return nested(def.in)
    case 'lazy':
      return nested(def.getter())
    case 'union':
      return def.options.some(nested)
    case 'intersection':
      return nested(def.left) && nested(def.right)
    default:
      return false
  }
}
