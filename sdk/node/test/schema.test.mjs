// Schemas of every zod that projects have. The rule: a JSON Schema must never refuse what zod takes, as `validation`
// would then refuse requests that the handler is written for. What zod refuses it should refuse too, where it can.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Ajv from 'ajv'
import { isSchema, toJsonSchema } from '../lib/schema/index.mjs'
import { ZOD_3, ZOD_4, ZOD_MINI } from './support/zod.mjs'

const ajv = new Ajv({ strict: false, validateFormats: false })

async function convert(schema, source) {
  const warnings = []
  const json = await toJsonSchema(schema, source, (text) => warnings.push(text))
  return { json: JSON.parse(JSON.stringify(json)), warnings }
}

/** name → [schema, values that must be refused]. SAMPLES are tried on all of them. */
const shared = (z) => {
  const node = z.object({ value: z.string(), children: z.lazy(() => z.array(node)) })
  const ping = z.object({ pong: z.lazy(() => z.object({ ping: ping.optional() })) })
  return {
    string: [z.string(), [1, null]],
    length: [z.string().min(2).max(4), ['a', 'abcde']],
    exact: [z.string().length(3), ['ab', 'abcd']],
    email: [z.string().email(), [1]],
    url: [z.string().url(), [1]],
    uuid: [z.string().uuid(), [1]],
    regex: [z.string().regex(/^a+$/), ['b']],
    'regex with flags': [z.string().regex(/^abc$/i), [1]],
    affixes: [z.string().startsWith('a.').endsWith('$').includes('-'), ['a.$', 'ax-$', 'a.-']],
    datetime: [z.string().datetime(), [1]],
    'local datetime': [z.string().datetime({ local: true }), [1]],
    time: [z.string().time(), [1]],
    trimmed: [z.string().trim().min(2).max(4), [1, 'a']],
    'trimmed at the end': [z.string().min(1, 'Name is required').trim(), ['']],
    'lower case': [
      z
        .string()
        .toLowerCase()
        .regex(/^[a-z]+$/),
      [1],
    ],
    number: [z.number().min(1).max(3), [0, 4, '2']],
    exclusive: [z.number().gt(1).lt(3), [1, 3]],
    int: [z.number().int().multipleOf(2), [1.5, 3]],
    boolean: [z.boolean(), ['true', 0]],
    coerced: [z.object({ n: z.coerce.number(), s: z.coerce.string(), b: z.coerce.boolean(), d: z.coerce.date() }), [1]],
    enum: [z.enum(['x', 'y']), ['z', 1]],
    'native enum': [z.nativeEnum({ A: 1, B: 'b', 1: 'A' }), ['A', 2]],
    literal: [z.literal('ok'), ['no']],
    'literal null': [z.literal(null), [0]],
    array: [z.array(z.string()).min(1).max(2), [[], ['a', 'b', 'c'], [1]]],
    nonempty: [z.array(z.number()).nonempty(), [[]]],
    tuple: [z.tuple([z.string(), z.number()]), []],
    'tuple with rest': [z.tuple([z.string()]).rest(z.boolean()), []],
    object: [z.object({ a: z.string(), b: z.number().optional() }), [{}, { a: 1 }, { a: 'x', b: 'y' }, []]],
    strict: [z.object({ a: z.string() }).strict(), [{ a: 'x', extra: 1 }]],
    passthrough: [z.object({ a: z.string() }).passthrough(), [{ extra: 1 }]],
    catchall: [z.object({ a: z.string() }).catchall(z.number()), [{ a: 'x', b: 'y' }]],
    partial: [z.object({ a: z.string() }).partial(), [{ a: 1 }]],
    defaults: [z.object({ n: z.number().min(1).default(3), s: z.boolean().optional().default(false) }), [{ n: 0 }]],
    nullable: [z.object({ a: z.string().optional().nullable(), b: z.string().nullable() }), [{}, { b: 1 }]],
    record: [z.record(z.string(), z.number()), [{ a: 'x' }, []]],
    'record by pattern': [z.record(z.string().regex(/^k/), z.number()), [{ a: 1 }]],
    union: [z.union([z.string(), z.number()]), [true, null]],
    discriminated: [
      z.discriminatedUnion('t', [z.object({ t: z.literal('a'), v: z.string() }), z.object({ t: z.literal('b') })]),
      [{ t: 'c' }, { t: 'a' }],
    ],
    intersection: [z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })), [{ a: 'x' }]],
    recursive: [node, [{ value: 'x', children: [{ value: 1, children: [] }] }]],
    'mutually recursive': [ping, [{ pong: { ping: 1 } }]],
    'recursive inside': [z.object({ tree: node, also: z.array(node) }), [{ tree: { value: 1 }, also: [] }]],
    refined: [z.object({ a: z.string() }).superRefine(() => {}), [{}]],
    'refined member': [z.object({ a: z.string().refine((a) => a !== 'no') }), [{ a: 1 }]],
    transformed: [z.object({ a: z.string().transform((a) => a.length) }), [{ a: 1 }, {}]],
    preprocessed: [z.object({ a: z.preprocess((a) => Number(a ?? 1), z.number()) }), [1]],
    piped: [z.string().pipe(z.coerce.number()), [1]],
    caught: [z.object({ a: z.string().catch('x') }), [1]],
    branded: [z.string().brand('Id'), [1]],
    readonly: [z.array(z.string()).readonly(), [[1]]],
    'any and unknown': [z.object({ a: z.any(), b: z.unknown() }), [1]],
    'undefined and void': [z.object({ a: z.undefined().optional(), b: z.void().optional() }), [1]],
    never: [z.object({ a: z.never().optional() }), [{ a: 1 }]],
    'without JSON': [
      z.object({
        d: z.date().optional(),
        g: z.bigint().optional(),
        m: z.map(z.string(), z.any()).optional(),
        s: z.set(z.any()).optional(),
        n: z.nan().optional(),
      }),
      [1],
    ],
  }
}

const SAMPLES = [
  null,
  true,
  0,
  1,
  2,
  3,
  4,
  1.5,
  '',
  'a',
  'ab',
  'abc',
  'ABC',
  'x',
  'ok',
  '  ab  ',
  'a.-$',
  'true',
  '12',
  'ada@example.com',
  'https://example.com/ä',
  '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  '2024-05-01T10:00:00Z',
  '2024-05-01T10:00:00',
  '10:00:00',
  [],
  ['a'],
  ['a', 'b'],
  ['a', 1],
  ['a', true, false],
  [1],
  {},
  { a: 'x' },
  { a: 'x', b: 1 },
  { a: 'x', b: 'y' },
  { a: null, b: null },
  { a: 1 },
  { a: '5', extra: 1 },
  { b: 2 },
  { n: '5', s: 1, b: 'yes', d: '2024-01-01' },
  { n: 2 },
  { n: null, d: 0 },
  { k1: 1 },
  { t: 'a', v: 'v' },
  { t: 'b' },
  { value: 'v', children: [] },
  { value: 'v', children: [{ value: 'w', children: [] }] },
  { pong: {} },
  { pong: { ping: { pong: {} } } },
  { tree: { value: 'v', children: [{ value: 'w', children: [] }] }, also: [] },
]

const accepts = (schema, value) => {
  try {
    return schema.safeParse(structuredClone(value)).success
  } catch {
    return false
  }
}

for (const [release, { z, source }] of [...ZOD_3, ...ZOD_4]) {
  for (const [name, [schema, refused]] of Object.entries(shared(z))) {
    test(`${release}: ${name}`, async () => {
      assert.ok(isSchema(schema))
      const { json, warnings } = await convert(schema, source)
      assert.deepEqual(warnings, [])
      const validate = ajv.compile(json)
      let taken = 0
      for (const value of SAMPLES) {
        if (!accepts(schema, value)) continue
        taken++
        assert.ok(validate(value), `refuses ${JSON.stringify(value)}: ${JSON.stringify(json)}`)
      }
      assert.ok(taken > 0, 'no sample that zod takes: the test proves nothing')
      for (const value of refused) {
        assert.ok(!accepts(schema, value), `zod takes ${JSON.stringify(value)}: the test is wrong`)
        assert.ok(!validate(value), `takes ${JSON.stringify(value)}: ${JSON.stringify(json)}`)
      }
    })
  }

  test(`${release}: the form of the input, with descriptions and defaults`, async () => {
    const schema = z.object({
      name: z.string().min(1).describe('What to call it'),
      url: z.string({ description: 'API URL' }),
      size: z.number().int().default(3),
      free: z.coerce.number().describe('anything'),
    })
    const { json } = await convert(schema, source)
    assert.deepEqual(json.required, ['name', 'url', 'free'])
    assert.equal(json.additionalProperties, undefined)
    assert.deepEqual(json.properties.name, { type: 'string', minLength: 1, description: 'What to call it' })
    assert.equal(json.properties.url.description, 'API URL')
    assert.equal(json.properties.size.default, 3)
    assert.deepEqual(json.properties.free, { description: 'anything' })
  })

  test(`${release}: strict objects, and only those, are closed`, async () => {
    const { json } = await convert(z.object({ open: z.object({}), closed: z.object({}).strict() }), source)
    assert.equal(json.properties.open.additionalProperties, undefined)
    assert.equal(json.properties.closed.additionalProperties, false)
  })

  test(`${release}: a recursive schema refers to itself`, async () => {
    const node = z.object({ next: z.lazy(() => node).optional() })
    const { json } = await convert(node, source)
    assert.match(JSON.stringify(json.properties.next), /"\$ref":"#"/)
  })
}

for (const [release, { z, source }] of ZOD_3) {
  test(`${release}: a lazy schema that makes itself anew has an end`, async () => {
    const endless = () => z.object({ next: z.lazy(endless).optional() })
    assert.equal((await convert(endless(), source)).json.type, 'object')
  })
}

for (const [release, { z, source }] of ZOD_4) {
  test(`${release}: what it cannot convert costs only its own place`, async () => {
    // The zod 3 style that most projects were written in; releases before 4.2 throw at it.
    const schema = z.object({ list: z.array(z.object({ meta: z.record(z.any()), id: z.string() })), ok: z.string() })
    const { json, warnings } = await convert(schema, source)
    assert.deepEqual(json.properties.ok, { type: 'string' })
    assert.deepEqual(json.properties.list.items.properties.id, { type: 'string' })
    assert.ok(
      ['{}', '{"type":"object"'].some((start) =>
        JSON.stringify(json.properties.list.items.properties.meta).startsWith(start),
      ),
    )
    for (const text of warnings) assert.match(text, /^\.list\[\]\.meta: zod cannot convert this part/)
  })

  test(`${release}: its own kinds`, async () => {
    const schema = z.object({
      mail: z.email(),
      iso: z.iso.time(),
      any: z.custom(() => true),
      instance: z.instanceof(Map),
      yes: z.stringbool(),
      lit: z.literal([true, false]),
    })
    const { json, warnings } = await convert(schema, source)
    assert.deepEqual(warnings, [])
    const validate = ajv.compile(json)
    assert.ok(
      validate({ mail: 'a@b.co', iso: '10:00:00', any: 1, instance: {}, yes: 'yes', lit: false }),
      JSON.stringify(json),
    )
    assert.ok(!validate({ mail: 'a@b.co', iso: '10:00:00', yes: 1, lit: true }))
  })
}

for (const [release, { z, source }] of ZOD_MINI) {
  test(`${release}`, async () => {
    const { json, warnings } = await convert(
      z.object({
        a: z.optional(z.string()),
        b: z.string().check(z.trim(), z.minLength(2), z.maxLength(3)),
        c: z._default(z.number(), 3),
      }),
      source,
    )
    assert.deepEqual(warnings, [])
    assert.deepEqual(json, {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string', minLength: 2 }, c: { type: 'number', default: 3 } },
      required: ['b'],
    })
  })
}

test('other libraries: their own JSON Schema if they have it, anything if not', async () => {
  const standard = { version: 1, vendor: 'x', validate: () => ({ value: 1 }) }
  assert.deepEqual((await convert({ '~standard': standard }, '/x')).json, {})
  const knows = { ...standard, jsonSchema: { input: ({ target }) => ({ type: 'string', target }) } }
  const callable = Object.assign(() => {}, { '~standard': knows })
  assert.ok(isSchema(callable))
  assert.deepEqual((await convert(callable, '/x')).json, { type: 'string', target: 'draft-07' })
})

test('a project without a usable zod gets a warning and no refusal', async () => {
  const [, { z }] = ZOD_4[1]
  const { json, warnings } = await convert(z.object({ a: z.string() }), '/nowhere/at/all.ts')
  assert.deepEqual(json, {})
  assert.match(warnings[0], /Cannot find module/)
})

test('plain JSON Schema is no schema of a library', () => {
  assert.ok(!isSchema({ type: 'object', properties: {} }))
  for (const value of [null, undefined, 1, 'x', () => {}]) assert.ok(!isSchema(value))
})
