import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stream } from '../index.mjs'
import { connect, createServer } from './support/fake.mjs'

/** Retries take all the time they may; `waits` are how long each took. */
function slowest(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  t.mock.method(Math, 'random', () => 0.999999)
  t.mock.method(console, 'error', () => {})
}

/** How many ms pass until another socket is asked for. */
function untilNext(t, { sockets }) {
  const before = sockets.length
  for (let ms = 0; ms <= 60_000; ms += 100) {
    if (sockets.length > before) return ms
    t.mock.timers.tick(100)
  }
  return Number.POSITIVE_INFINITY
}

test('the state tells how it goes', (t) => {
  slowest(t)
  const server = createServer()
  const stream = new Stream(server.factory)
  const states = [stream.state]
  const off = stream.onStateChange((state) => states.push(state))
  server.open()
  server.lose()
  untilNext(t, server)
  server.lose()
  untilNext(t, server)
  server.open()
  stream.close()
  stream.close()
  off()
  assert.deepEqual(states, ['connecting', 'open', 'reconnecting', 'open', 'closed'])
  assert.equal(stream.ws, undefined)
})

test('each wait may be twice as long as the one before, up to 30 s', (t) => {
  slowest(t)
  const server = createServer()
  const stream = new Stream(server.factory)
  t.after(() => stream.close())
  const waits = []
  for (let n = 0; n < 9; n += 1) {
    server.lose()
    waits.push(untilNext(t, server))
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  server.open()
  t.mock.timers.tick(4000)
  server.lose()
  assert.equal(untilNext(t, server), 30_000, 'after a connection that did not last')
  server.open()
  t.mock.timers.tick(5000)
  server.lose()
  assert.equal(untilNext(t, server), 500, 'after one that did')
})

test('the wait is anything up to that', (t) => {
  slowest(t)
  Math.random.mock.mockImplementation(() => 0)
  const { server } = connect(t)
  server.lose()
  assert.equal(untilNext(t, server), 100)
})

test('`retry` says otherwise', (t) => {
  slowest(t)
  const { server } = connect(t, { retry: { first: 100, most: 200 } })
  const waits = [1, 2, 3].map(() => {
    server.lose()
    return untilNext(t, server)
  })
  assert.deepEqual(waits, [100, 200, 200])
})

test('a factory that throws, or whose promise fails, is asked again', async (t) => {
  slowest(t)
  const server = createServer()
  const outcomes = [
    () => {
      throw new Error('no address')
    },
    () => Promise.reject(new Error('no token')),
    () => Promise.resolve(server.factory()),
  ]
  let asked = 0
  const stream = new Stream(() => outcomes[asked++]())
  t.after(() => stream.close())
  assert.equal(stream.state, 'reconnecting')
  t.mock.timers.tick(500)
  await settled()
  t.mock.timers.tick(1000)
  await settled()
  server.open()
  assert.deepEqual([asked, stream.state, console.error.mock.callCount()], [3, 'open', 2])
})

const settled = async () => {
  for (let n = 0; n < 10; n += 1) await null
}

test('a socket that is made too late is closed, one that is open already is used', async (t) => {
  slowest(t)
  const server = createServer()
  const made = []
  const stream = new Stream(() => new Promise((resolve) => made.push(resolve)))
  t.mock.timers.tick(20_000)
  t.mock.timers.tick(500)
  assert.equal(made.length, 2)
  made[0](server.factory())
  await settled()
  assert.equal(server.sockets[0].closed, true)
  const adapter = server.factory()
  server.sockets[1].open = true
  made[1](adapter)
  await settled()
  assert.deepEqual([stream.state, server.sent('hello').length], ['open', 1])
  stream.close()
  assert.equal(server.sockets[1].closed, true)
})

test('a socket that does not open is given up after 20 s', (t) => {
  slowest(t)
  const server = createServer()
  const stream = new Stream(server.factory)
  t.after(() => stream.close())
  assert.equal(untilNext(t, server), 20_500)
  assert.equal(server.sockets[0].closed, true)
  server.sockets[0].hears.open()
  assert.equal(stream.state, 'reconnecting', 'what an old socket says is passed over')
})

test('a connection that has died is found by ping within 30 s', (t) => {
  slowest(t)
  const { server, stream } = connect(t)
  for (let n = 0; n < 20; n += 1) {
    t.mock.timers.tick(6000)
    server.say({ type: 'pong' })
  }
  assert.deepEqual([server.sockets.length, stream.state], [1, 'open'])
  assert.equal(server.sent('ping').length, 11)
  const found = untilNext(t, server)
  assert.ok(found <= 30_000, `it took ${found} ms`)
  assert.equal(server.sockets[0].closed, true)
})

test('without an answer to hello nobody is asked for a sign of life', (t) => {
  slowest(t)
  const { server, stream } = connect(t, { plain: true })
  t.mock.timers.tick(300_000)
  stream.wake()
  t.mock.timers.tick(300_000)
  assert.deepEqual([server.sent('ping'), server.sockets.length], [[], 1])
})

test('a connection that died as it opened is found where the last one was answered, but a server may also be silent', (t) => {
  slowest(t)
  const { server, stream } = connect(t)
  server.lose()
  t.mock.timers.tick(500)
  server.open()
  assert.equal(untilNext(t, server), 12_500)
  server.open()
  t.mock.timers.tick(300_000)
  assert.deepEqual([server.sockets.length, stream.state], [3, 'open'])
})

test('after waking the next waits are short again', (t) => {
  slowest(t)
  const { server, stream } = connect(t)
  for (let n = 0; n < 5; n += 1) {
    server.lose()
    untilNext(t, server)
  }
  server.lose()
  stream.wake()
  server.lose()
  assert.equal(untilNext(t, server), 500)
})

test('waking tries at once, and asks an open connection for a sign of life', (t) => {
  slowest(t)
  const { server, stream } = connect(t)
  server.lose()
  stream.wake()
  assert.equal(server.sockets.length, 2)
  stream.wake()
  assert.equal(server.sockets.length, 2, 'it is trying already')
  server.greet()
  stream.wake()
  t.mock.timers.tick(4900)
  server.say({ type: 'pong' })
  t.mock.timers.tick(200)
  assert.equal(stream.state, 'open')
  server.say({ type: 'pong' })
  t.mock.timers.tick(11_000)
  stream.wake()
  t.mock.timers.tick(5000)
  assert.equal(stream.state, 'reconnecting')
  stream.close()
  stream.wake()
  t.mock.timers.tick(60_000)
  assert.deepEqual([server.sockets.length, stream.state], [2, 'closed'])
})

test('a listener of the state may close it', (t) => {
  slowest(t)
  for (const closing of ['connecting', 'open', 'reconnecting']) {
    const server = createServer()
    const stream = new Stream(server.factory)
    stream.onStateChange((state) => state === closing && stream.close())
    server.open()
    if (closing === 'connecting') stream.createSocket()
    else server.lose()
    t.mock.timers.tick(100_000)
    assert.deepEqual([stream.state, server.sockets.length, server.sockets[0].closed], ['closed', 1, true])
  }
})

test('`createSocket` connects anew, and an adapter that throws harms nothing', (t) => {
  slowest(t)
  const server = createServer()
  const broken = () => {
    throw new Error('broken')
  }
  const stream = new Stream(() => ({ ...server.factory(), send: broken, close: broken }))
  t.after(() => stream.close())
  server.open()
  const subscription = stream.subscribeGroup('s', 'g')
  assert.equal(stream.createSocket(), stream.ws)
  assert.deepEqual([server.sockets.length, stream.state], [2, 'connecting'])
  subscription.close()
})
