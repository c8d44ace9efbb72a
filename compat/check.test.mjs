import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { check, differs } from './check.mjs'

test('an answer may have more than is expected, and may lack nothing of it', () => {
  const answer = { id: 'bill_1', total: 2, items: [{ name: 'a', size: 1 }], paid: false }
  const right = { id: '/^bill_/', total: '<number>', items: [{ name: 'a' }] }
  assert.equal(differs(answer, right, 'the answer'), undefined)

  const wrong = [
    [{ id: '/^order_/' }, 'the answer.id does not match /^order_/'],
    [{ total: 3 }, 'the answer.total is 2 instead of 3'],
    [{ total: '<string>' }, 'the answer.total is not a string'],
    [{ items: [] }, 'the answer.items has 1 elements instead of 0'],
    [{ items: [{ name: 'b' }] }, 'the answer.items[0].name is "a" instead of "b"'],
    [{ paid: null }, 'the answer.paid is false instead of null'],
    [{ owner: { name: 'a' } }, 'the answer.owner is not an object'],
    [[], 'the answer is not a list'],
  ]
  for (const [expected, problem] of wrong) assert.equal(differs(answer, expected, 'the answer'), problem)
})

test('requests run in order, save values for those after them and wait for effects', async (t) => {
  let polls = 0
  const server = createServer((request, response) => {
    const answer = request.method === 'POST' ? { id: 7 } : { url: request.url, polls: ++polls }
    response.writeHead(request.method === 'POST' ? 201 : 200, { 'x-kind': 'test' }).end(JSON.stringify(answer))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())

  const engine = { url: `http://127.0.0.1:${server.address().port}`, lines: ['[INFO] stored 7'] }
  const results = await check(engine, [
    { request: 'POST /items', body: {}, status: 201, save: { item: 'id' } },
    { request: 'GET /items/{{item}}', status: 200, answer: { url: '/items/7', polls: 2 }, within: 5 },
    { request: 'GET /', status: 404 },
    { request: 'GET /', status: 200, answerHeaders: { 'x-kind': 'other' } },
    { log: 'stored {{item}}' },
    { log: 'deleted {{item}}' },
  ])
  assert.deepEqual(results, [
    { request: 'POST /items', problem: undefined },
    { request: 'GET /items/{{item}}', problem: undefined },
    { request: 'GET /', problem: 'answered 200 instead of 404: {"url":"/","polls":3}' },
    { request: 'GET /', problem: 'header x-kind is "test" instead of "other"' },
    { request: 'log: stored {{item}}', problem: undefined },
    { request: 'log: deleted {{item}}', problem: 'was not logged' },
  ])
})
