import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { buildRequest, InvalidBody } from '../lib/request.mjs'

const build = (meta, body = '') => buildRequest({ headers: {}, ...meta }, Buffer.from(body), true)

test('no body: {} and an empty text, so that req.body.x needs no guard', () => {
  assert.deepEqual(build({}), { body: {}, headers: {}, pathParams: {}, queryParams: {}, rawBody: '' })
  assert.deepEqual(build({ content: 'none' }).body, {})
  assert.deepEqual(build({ content: 'json' }).body, {})
})

test('JSON comes out as it went in: a signature over JSON.stringify(req.body) matches', () => {
  const text = '{"z":1,"a":{"é":[1.5,"\\u0007",null]},"10":true,"__proto__":{"admin":true},"date":1716900000000}'
  const { body, rawBody } = build({ content: 'json' }, text)
  assert.equal(rawBody, text)
  assert.equal(body.admin, undefined, 'no prototype was changed')
  const wire = '{"zen":"Keep it simple","hook":{"id":1,"events":["push"]},"n":null}'
  const sign = (payload) => createHmac('sha256', 'secret').update(payload).digest('hex')
  assert.equal(sign(JSON.stringify(build({ content: 'json' }, wire).body)), sign(wire))
})

test('JSON that is broken, or a scalar, is the client’s fault', () => {
  for (const text of ['{', '"text"', '1', 'null', 'true', '{"a":1}}', ' ']) {
    assert.throws(() => build({ content: 'json' }, text), InvalidBody, text)
  }
  assert.deepEqual(build({ content: 'json' }, '[1]').body, [1])
  assert.deepEqual(build({ content: 'json' }, '\ufeff{"a":1}').body, { a: 1 })
})

test('forms: the nested object, and a body that turns into the raw text in a template', () => {
  const form = '{"payload":"{\\"id\\":1}","a":{"b":["c"]}}'
  const raw = 'payload=%7B%22id%22%3A1%7D&a[b][]=c'
  const req = build({ content: 'form', split: form.length }, form + raw)
  assert.deepEqual(req.body, { payload: '{"id":1}', a: { b: ['c'] } })
  assert.equal(req.rawBody, raw)
  assert.equal(`v0:123:${req.body}`, `v0:123:${raw}`)
  assert.deepEqual(Object.keys(req.body), ['payload', 'a'])
  assert.equal(JSON.stringify(req.body), form)
  const named = '{"toString":"x"}'
  assert.equal(build({ content: 'form', split: named.length }, `${named}toString=x`).body.toString, 'x')
})

test('the raw bytes are a string only where that loses nothing', () => {
  const raw = (bytes, content = 'text') => buildRequest({ headers: {}, content }, Buffer.from(bytes), true).rawBody
  assert.equal(raw('žluť 🐎'), 'žluť 🐎')
  assert.equal(raw('\ufffd is a character too'), '\ufffd is a character too')
  assert.deepEqual(raw([0x61, 0xff]), Buffer.from([0x61, 0xff]))
  assert.deepEqual(raw([0x61, 0x00]), Buffer.from([0x61, 0x00]))
  assert.deepEqual(raw([0xed, 0xa0, 0x80]), Buffer.from([0xed, 0xa0, 0x80]))
})

test('text is decoded by its charset', () => {
  const latin = buildRequest({ headers: {}, content: 'text', charset: 'iso-8859-1' }, Buffer.from([0xe9]), true)
  assert.equal(latin.body, 'é')
  assert.deepEqual(latin.rawBody, Buffer.from([0xe9]))
  assert.throws(() => build({ content: 'text', charset: 'klingon' }, 'x'), InvalidBody)
})

test('binary bodies are copied when they are only lent', () => {
  const lent = Buffer.from([1, 2, 255])
  const { body, rawBody } = buildRequest({ headers: {}, content: 'binary' }, lent, true)
  lent.fill(0)
  assert.deepEqual(body, Buffer.from([1, 2, 255]))
  assert.deepEqual(rawBody, body)
  const owned = Buffer.from([1, 2, 255])
  assert.equal(buildRequest({ headers: {}, content: 'binary' }, owned, false).body, owned)
})

test('the raw body of bytes is made of the same bytes, and only when somebody asks', () => {
  const owned = Buffer.from([1, 2, 255])
  const req = buildRequest({ headers: {}, content: 'binary' }, owned, false)
  assert.equal(typeof Object.getOwnPropertyDescriptor(req, 'rawBody').get, 'function')
  assert.equal(req.rawBody, owned)
  assert.deepEqual(Object.keys(req), ['body', 'headers', 'pathParams', 'queryParams', 'rawBody'])
  assert.equal(build({ content: 'binary' }, 'text').rawBody, 'text')
  assert.equal({ ...req }.rawBody, owned)
  assert.deepEqual(JSON.parse(JSON.stringify(req)).rawBody, { type: 'Buffer', data: [1, 2, 255] })
  req.rawBody = 'mine'
  assert.equal(req.rawBody, 'mine')
})

const multipart = (...parts) =>
  `${parts.map(([name, value, more = '']) => `--b0\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`).join('')}--b0--\r\n`

test('multipart: fields, files, repeated and hostile names', async () => {
  const meta = { content: 'multipart', headers: { 'content-type': 'multipart/form-data; boundary=b0' } }
  const file = '; filename="ü.txt"\r\nContent-Type: text/plain'
  const text = multipart(
    ['title', 'Grüße'],
    ['tag', 'a'],
    ['tag', 'b'],
    ['tag', 'c'],
    ['doc', 'hello\r\nworld', file],
    ['__proto__', 'x'],
  )
  const { body, rawBody } = await build(meta, text)
  assert.equal(body.title, 'Grüße')
  assert.deepEqual(body.tag, ['a', 'b', 'c'])
  assert.ok(body.doc instanceof File)
  assert.deepEqual([body.doc.name, body.doc.type, await body.doc.text()], ['ü.txt', 'text/plain', 'hello\r\nworld'])
  assert.equal(Object.getPrototypeOf(body), Object.prototype)
  assert.ok(Object.hasOwn(body, '__proto__'))
  assert.equal(rawBody, text)
})

test('multipart that is broken is the client’s fault', async () => {
  const meta = { content: 'multipart', headers: { 'content-type': 'multipart/form-data; boundary=b0' } }
  await assert.rejects(build(meta, 'nonsense'), InvalidBody)
  await assert.rejects(build({ ...meta, headers: { 'content-type': 'multipart/form-data' } }, 'x'), InvalidBody)
})
