import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toResult } from '../lib/response.mjs'

/** {status, type, headers?, body} of a response; bytes as hex. */
async function result(response) {
  const { meta, body } = await toResult(response)
  const bytes = body instanceof Uint8Array ? Buffer.from(body).toString('hex') : body
  return { ...JSON.parse(meta), body: bytes }
}

const fails = (response, pattern) => assert.rejects(async () => toResult(response), pattern)

test('the body’s kind is told by its value', async () => {
  const cases = [
    [undefined, 'none', undefined],
    ['text', 'text', 'text'],
    ['', 'text', ''],
    [null, 'json', 'null'],
    [5, 'json', '5'],
    [false, 'json', 'false'],
    [[1, undefined], 'json', '[1,null]'],
    [
      { a: undefined, n: Number.NaN, d: new Date(0), m: new Map([[1, 2]]) },
      'json',
      '{"n":null,"d":"1970-01-01T00:00:00.000Z","m":{}}',
    ],
    [{ toJSON: () => ({ x: 1 }) }, 'json', '{"x":1}'],
    [Buffer.from([1, 2]), 'bytes', '0102'],
    [new Uint8Array([1, 2]), 'bytes', '0102'],
    [new Uint16Array([1]).subarray(0, 1), 'bytes', '0100'],
    [new Uint8Array([1, 2]).buffer, 'bytes', '0102'],
    [new DataView(new Uint8Array([9, 8, 7]).buffer, 1, 1), 'bytes', '08'],
    [new Blob(['ab']), 'bytes', '6162'],
  ]
  for (const [body, type, sent] of cases)
    assert.deepEqual(await result({ status: 200, body }), { status: 200, type, body: sent })
})

test('the status is a whole number from 100 to 599, or such a text', async () => {
  for (const status of [100, 599, '201', ' 204 ']) assert.equal((await result({ status })).status, Number(status))
  for (const status of [99, 600, 200.5, Number.NaN, '', 'ok', true, null, '0x1g'])
    await fails({ status }, /status must be a whole number/)
  await fails({ body: 1 }, /has no status; return \{ status, body \}/)
})

test('what is no response is named', async () => {
  await fails(undefined, /returned undefined/)
  await fails(null, /returned null/)
  await fails('ok', /returned the string "ok"/)
  await fails(200, /returned the number 200/)
  await fails([], /has no status/)
})

test('bodies that have no JSON form are named', async () => {
  const circular = {}
  circular.self = circular
  await fails({ status: 200, body: circular }, /cannot be written as JSON: .*circular/)
  await fails({ status: 200, body: { n: 1n } }, /cannot be written as JSON: .*BigInt/)
  await fails({ status: 200, body: () => {} }, /is a function, which has no JSON form/)
  await fails({ status: 200, body: Symbol('x') }, /is a symbol/)
})

test('headers: text, numbers, booleans and lists of them', async () => {
  const headers = {
    'X-Id': 7,
    ok: true,
    'Set-Cookie': ['a=1', 'b=2'],
    none: undefined,
    nil: null,
    grüße: undefined,
    umlaut: 'ä',
  }
  assert.deepEqual((await result({ status: 200, headers })).headers, {
    'X-Id': '7',
    ok: 'true',
    'Set-Cookie': ['a=1', 'b=2'],
    umlaut: 'ä',
  })
  assert.deepEqual(
    (
      await result({
        status: 200,
        headers: new Headers([
          ['set-cookie', 'a'],
          ['set-cookie', 'b'],
          ['x', 'y'],
        ]),
      })
    ).headers,
    {
      'set-cookie': ['a', 'b'],
      x: 'y',
    },
  )
  assert.deepEqual((await result({ status: 200, headers: new Map([['x', 'y']]) })).headers, { x: 'y' })
})

test('headers that could break out of their line are refused', async () => {
  for (const name of ['bad name', '', 'a:b', 'a\r\nb', 'ä'])
    await fails({ status: 200, headers: { [name]: 'x' } }, /invalid name/)
  for (const value of ['a\r\nSet-Cookie: x', 'a\0', ['ok', 'a\nb']])
    await fails({ status: 200, headers: { x: value } }, /control characters/)
  await fails({ status: 200, headers: { x: {} } }, /header x must be a string, not an object/)
  await fails({ status: 200, headers: 'x' }, /headers must be an object/)
  await fails({ status: 200, headers: { x: 'y'.repeat(900_000) } }, /too long/)
})

test('a web Response is a response too', async () => {
  const headers = new Headers({ 'x-a': '1' })
  headers.append('set-cookie', 'a=1')
  headers.append('set-cookie', 'b=2')
  assert.deepEqual(await result(new Response('héllo', { status: 201, headers })), {
    status: 201,
    type: 'bytes',
    headers: { 'content-type': 'text/plain;charset=UTF-8', 'set-cookie': ['a=1', 'b=2'], 'x-a': '1' },
    body: Buffer.from('héllo').toString('hex'),
  })
  assert.equal((await result(Response.json({ a: 1 }))).headers['content-type'], 'application/json')
  assert.deepEqual(await result(new Response(null, { status: 204 })), {
    status: 204,
    type: 'none',
    headers: {},
    body: undefined,
  })
})

test('a file brings its type along, unless the handler says otherwise', async () => {
  const file = new File(['a'], 'a.png', { type: 'image/png' })
  assert.deepEqual((await result({ status: 200, body: file })).headers, { 'content-type': 'image/png' })
  assert.deepEqual((await result({ status: 200, body: file, headers: { 'Content-Type': 'x/y' } })).headers, {
    'Content-Type': 'x/y',
  })
})

test('common metas are made once', () => {
  assert.equal(toResult({ status: 200, body: {} }).meta, toResult({ status: 200, body: [] }).meta)
  assert.equal(toResult({ status: 200, body: {} }).meta, '{"status":200,"type":"json"}')
})
