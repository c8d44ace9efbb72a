// zod 3 as JSON Schema, by the structure of its schemas: zod 3 has no converter of its own, and its structure is
// frozen.
import { stringOf } from './zod3-string.mjs'

const DEEPEST = 60

export function zod3ToJsonSchema(schema) {
  const writer = new Writer(schema)
  const json = writer.convert(schema, 0)
  return Object.keys(writer.definitions).length === 0 ? json : { ...json, definitions: writer.definitions }
}

class Writer {
  definitions = {}
  /** Schemas that are being converted, with the name that they got when they turned up inside themselves. */
  #open = new Map()
  #root

  constructor(root) {
    this.#root = root
  }

  convert(schema, depth) {
    // A lazy schema that makes itself anew each time has no end.
    if (depth > DEEPEST) return {}
    if (this.#open.has(schema)) {
      if (schema === this.#root) return { $ref: '#' }
      const name = this.#open.get(schema) ?? `schema${this.#open.size + Object.keys(this.definitions).length}`
      this.#open.set(schema, name)
      return { $ref: `#/definitions/${name}` }
    }
    this.#open.set(schema, undefined)
    const def = schema._def
    const convert = KINDS[def.typeName]
    const json = convert === undefined ? {} : convert(def, (inner) => this.convert(inner, depth + 1))
    const name = this.#open.get(schema)
    this.#open.delete(schema)
    const described = def.description === undefined ? json : annotate(json, { description: def.description })
    if (name === undefined) return described
    this.definitions[name] = described
    return { $ref: `#/definitions/${name}` }
  }
}

/** In draft 7 whatever stands beside a `$ref` is ignored. */
const annotate = (json, annotation) => ({ ...(json.$ref === undefined ? json : { allOf: [json] }), ...annotation })

const inner = (def, convert) => convert(def.innerType)

/** Kinds without an entry (dates, bigints, maps, functions …) have no JSON form. */
const KINDS = {
  ZodString: (def) => (def.coerce ? {} : stringOf(def.checks)),
  ZodNumber: (def) => (def.coerce ? {} : numberOf(def.checks)),
  ZodBoolean: (def) => (def.coerce ? {} : { type: 'boolean' }),
  ZodNull: () => ({ type: 'null' }),
  ZodNever: () => ({ not: {} }),
  ZodLiteral: (def) => literalOf(def.value),
  ZodEnum: (def) => ({ type: 'string', enum: [...def.values] }),
  ZodNativeEnum: (def) => enumOf(def.values),
  ZodArray: arrayOf,
  ZodTuple: tupleOf,
  ZodObject: objectOf,
  ZodRecord: recordOf,
  ZodUnion: (def, convert) => ({ anyOf: [...def.options].map(convert) }),
  ZodDiscriminatedUnion: (def, convert) => ({ anyOf: [...def.options].map(convert) }),
  ZodIntersection: (def, convert) => ({ allOf: [convert(def.left), convert(def.right)] }),
  ZodNullable: nullableOf,
  ZodOptional: inner,
  ZodReadonly: inner,
  ZodDefault: (def, convert) => withDefault(inner(def, convert), def.defaultValue),
  ZodBranded: (def, convert) => convert(def.type),
  ZodPipeline: (def, convert) => convert(def.in),
  ZodLazy: (def, convert) => convert(def.getter()),
  // A transform changes what came in, a refinement looks at it; a preprocess takes anything.
  ZodEffects: (def, convert) => (def.effect.type === 'preprocess' ? {} : convert(def.schema)),
}

function numberOf(checks) {
  const json = { type: 'number' }
  for (const { kind, value, inclusive } of checks) {
    if (kind === 'int') json.type = 'integer'
    else if (kind === 'min') json[inclusive ? 'minimum' : 'exclusiveMinimum'] = value
    else if (kind === 'max') json[inclusive ? 'maximum' : 'exclusiveMaximum'] = value
    else if (kind === 'multipleOf') json.multipleOf = value
  }
  return json
}

function literalOf(value) {
  if (value === null) return { type: 'null' }
  return ['string', 'number', 'boolean'].includes(typeof value) ? { type: typeof value, const: value } : {}
}

/** TypeScript enums hold a way back from number to name, which is no value of theirs. */
function enumOf(entries) {
  const values = Object.keys(entries)
    .filter((name) => typeof entries[entries[name]] !== 'number')
    .map((name) => entries[name])
  const types = [...new Set(values.map((value) => typeof value))]
  return { type: types.length === 1 ? types[0] : types, enum: values }
}

function arrayOf(def, convert) {
  const json = { type: 'array', items: convert(def.type) }
  const least = def.exactLength ?? def.minLength
  const most = def.exactLength ?? def.maxLength
  if (least != null) json.minItems = least.value
  if (most != null) json.maxItems = most.value
  return json
}

function tupleOf(def, convert) {
  const json = { type: 'array', items: def.items.map(convert), minItems: def.items.length }
  return def.rest === null ? { ...json, maxItems: def.items.length } : { ...json, additionalItems: convert(def.rest) }
}

function objectOf(def, convert) {
  const shape = def.shape()
  const names = Object.keys(shape)
  const json = { type: 'object', properties: Object.fromEntries(names.map((name) => [name, convert(shape[name])])) }
  const required = names.filter((name) => !acceptsNothing(shape[name], 0))
  if (required.length > 0) json.required = required
  if (def.catchall._def.typeName !== 'ZodNever') json.additionalProperties = convert(def.catchall)
  else if (def.unknownKeys === 'strict') json.additionalProperties = false
  return json
}

function recordOf(def, convert) {
  const json = { type: 'object', additionalProperties: convert(def.valueType) }
  const { type, ...names } = convert(def.keyType)
  return type === 'string' && Object.keys(names).length > 0 ? { ...json, propertyNames: names } : json
}

function nullableOf(def, convert) {
  const json = inner(def, convert)
  return Object.keys(json).length === 0 ? json : { anyOf: [json, { type: 'null' }] }
}

function withDefault(json, defaultValue) {
  try {
    const text = JSON.stringify(defaultValue())
    return text === undefined ? json : annotate(json, { default: JSON.parse(text) })
  } catch {
    return json
  }
}

/** Whether a member may be missing from its object: its schema takes undefined. */
function acceptsNothing({ _def: def }, depth) {
  if (depth > DEEPEST) return true
  const nested = (schema) => acceptsNothing(schema, depth + 1)
  switch (def.typeName) {
    case 'ZodOptional':
    case 'ZodDefault':
    case 'ZodCatch':
    case 'ZodAny':
    case 'ZodUnknown':
    case 'ZodUndefined':
    case 'ZodVoid':
      return true
    case 'ZodString':
    case 'ZodBoolean':
      return def.coerce === true
    case 'ZodLiteral':
      return def.value === undefined
    case 'ZodNullable':
    case 'ZodReadonly':
      return nested(def.innerType)
    case 'ZodEffects':
      return def.effect.type === 'preprocess' || nested(def.schema)
    case 'ZodBranded':
      return nested(def.type)
    case 'ZodPipeline':
      return nested(def.in)
    case 'ZodLazy':
      return nested(def.getter())
    case 'ZodUnion':
    case 'ZodDiscriminatedUnion':
      return [...def.options].some(nested)
    case 'ZodIntersection':
      return nested(def.left) && nested(def.right)
    default:
      return false
  }
}
