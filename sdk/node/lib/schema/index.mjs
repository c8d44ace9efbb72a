// Schemas of validation libraries as JSON Schema (draft 7, the form of the input). A schema never makes a file
// unusable: what has no JSON form is `{}`, which accepts everything.
import { zod3ToJsonSchema } from './zod3.mjs'
import { zod4ToJsonSchema } from './zod4.mjs'

const isZod4 = (value) => value._zod?.def !== undefined
const isZod3 = (value) => typeof value._def?.typeName === 'string'

/** Whether `value` is a library's schema. A JSON Schema written by hand is plain data and needs nothing done. */
export function isSchema(value) {
  // Some libraries' schemas are functions.
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  return isZod4(value) || isZod3(value) || value['~standard'] !== undefined
}

/**
 * `source`: the user's file, whose zod is asked. `warn(text)` gets what could not be converted, beginning with its
 * path.
 */
export async function toJsonSchema(schema, source, warn) {
  try {
    if (isZod4(schema)) return await zod4ToJsonSchema(schema, source, warn)
    if (isZod3(schema)) return zod3ToJsonSchema(schema)
    // The extension of Standard Schema for libraries that know their JSON Schema themselves.
    return schema['~standard'].jsonSchema?.input({ target: 'draft-07' }) ?? {}
  } catch (error) {
    warn(`: this schema has no JSON Schema (${error?.message ?? error}), so anything is accepted`)
    return {}
  }
}
