// Our WebSocket against that of `ws`, and against servers that do not do what they should.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { writeFrame } from '../lib/frames.mjs'
import { NodeWebSocket } from '../lib/node-websocket.mjs'

const require = createRequire(new URL('../../../tests/streams/', import.meta.url))
const { WebSocketServer } = require('ws')

/** An HTTP server; `handle` gets its upgrades. */
async function serve(t, handle) {
  const server = createServer((_, response) => response.writeHead(404).end('Not here'))
  const open = new Set()
  server.on('upgrade', handle)
  server.on('connection', (socket) => open.add(socket))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return `ws://127.0.0.1:${server.address().port}/path?query=1`
}

/** A server of `ws`: `seen` has what each connection asked for, `sockets` the server's side of it. */
async function serveWs(t, options = {}) {
  const wire = new WebSocketServer({ noServer: true, ...options })
  const seen = []
  const sockets = []
  const url = await serve(t, (request, socket, head) => {
    seen.push({ url: request.url, protocols: request.headers['sec-websocket-protocol'] })
    wire.handleUpgrade(request, socket, head, (made) => sockets.push(made))
  })
  return { url, seen, sockets }
}

/** All that happens to a socket, in order. */
function listen(socket) {
  const events = []
  const waiting = []
  for (const type of ['open', 'message', 'error', 'close']) {
    socket[`on${type}`] = ({ data, error }) => {
      events.push(type === 'message' ? data : type === 'error' ? error.message : type)
      for (const check of [...waiting]) check()
    }
  }
  const until = (last) =>
    new Promise((resolve) => {
      const check = () => events.includes(last) && resolve(events)
      waiting.push(check)
      check()
    })
  return { events, until }
}

test('text goes both ways, long and in pieces, and pings are answered', async (t) => {
  const { url, seen, sockets } = await serveWs(t)
  const socket = new NodeWebSocket(url, ['first', 'second'])
  const { events, until } = listen(socket)
  assert.equal(socket.readyState, 0)
  await until('open')
  assert.deepEqual(seen, [{ url: '/path?query=1', protocols: 'first, second' }])
  const [server] = sockets
  const long = 'é'.repeat(100_000)
  for (const text of ['short', long]) {
    const received = once(server, 'message')
    socket.send(text)
    assert.equal(String((await received)[0]), text)
  }
  const pong = once(server, 'pong')
  server.ping('are you there?')
  assert.equal(String((await pong)[0]), 'are you there?')
  server.send(Buffer.from('binary is passed over'))
  server.send('one ', { fin: false })
  server.send('and ', { fin: false })
  server.send('the other')
  server.send(long)
  await until(long)
  assert.deepEqual(events, ['open', 'one and the other', long])
  const closed = once(server, 'close')
  socket.close()
  await until('close')
  assert.deepEqual([(await closed)[0], socket.readyState], [1000, 3])
})

test('the server closes, or its connection breaks', async (t) => {
  const { url, sockets } = await serveWs(t)
  const [closed, broken] = [new NodeWebSocket(url), new NodeWebSocket(url)]
  const heard = [listen(closed), listen(broken)]
  for (const { until } of heard) await until('open')
  sockets[0].close(4008, 'too slow')
  sockets[1].terminate()
  for (const { until } of heard) assert.deepEqual(await until('close'), ['open', 'close'])
  closed.send('is passed over')
  closed.close()
})

test('who is refused hears it and is closed', async (t) => {
  const refuse = (_, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
  const url = await serve(t, refuse)
  assert.deepEqual(await listen(new NodeWebSocket(url)).until('close'), ['The server answers 401', 'close'])
  const { events, until } = listen(new NodeWebSocket('ws://127.0.0.1:9/'))
  await until('close')
  assert.match(events[0], /ECONNREFUSED/)
})

test('a server that is no WebSocket is none', async (t) => {
  const url = await serve(t, (_, socket) =>
    socket.write(
      'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: no\r\n\r\n',
    ),
  )
  assert.deepEqual(await listen(new NodeWebSocket(url)).until('close'), ['The server is no WebSocket', 'close'])
})

test('one that sends what it may not is left', async (t) => {
  const { url, sockets } = await serveWs(t)
  const socket = new NodeWebSocket(url)
  const { until } = listen(socket)
  await until('open')
  sockets[0]._socket.write(writeFrame(1, Buffer.from('masked')))
  assert.deepEqual(await until('close'), ['open', 'The server sent no frame of a server', 'close'])
})

test('closing ends it before it is open, and where the server says nothing more', async (t) => {
  const silent = await serve(t, () => {})
  const early = new NodeWebSocket(silent)
  const heard = listen(early)
  early.close()
  assert.deepEqual(await heard.until('close'), ['It was closed before it was open', 'close'])

  const { url, sockets } = await serveWs(t)
  const late = new NodeWebSocket(url)
  const { until } = listen(late)
  await until('open')
  sockets[0]._socket.pause()
  late.close()
  await until('close')
})
