// The client for Node, in processes of their own: what it must not do is end one, or keep one from ending.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Stream } from '../index.mjs'

const require = createRequire(new URL('../../../tests/streams/', import.meta.url))
const ws = require('ws')
const siblings = fileURLToPath(new URL('../../stream-client/test/support/siblings.mjs', import.meta.url))
const own = new URL('../index.mjs', import.meta.url)

/** What a program that has `Stream` prints until it ends. */
function run(code) {
  const program = `import { Stream } from '${own}'\n${code}`
  const given = ['--import', siblings, '--input-type=module', '--eval', program]
  return new Promise((resolve) => {
    execFile(process.execPath, given, { timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.killed ? 'did not end' : (error?.code ?? 0), stdout, stderr }),
    )
  })
}

/** A server of which every connection is for the `WebSocketServer` of `ws`, or refused with `status`. */
async function serve(t, status) {
  const wire = new ws.WebSocketServer({ noServer: true })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    if (status) return socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
    wire.handleUpgrade(request, socket, head, (made) => wire.emit('connection', made))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const client of wire.clients) client.terminate()
    server.close()
  })
  return { wire, url: `ws://127.0.0.1:${server.address().port}` }
}

const PATIENT = `
const states = []
stream.onStateChange((state) => states.push(state))
stream.subscribeGroup('s', 'g')
setTimeout(() => {
  stream.close()
  console.log(states.join(' '))
}, 1500)
`

test('nothing that a server does is an uncaught exception', async (t) => {
  const nobody = 'ws://127.0.0.1:9'
  const refusing = await Promise.all([401, 503].map((status) => serve(t, status)))
  const closeWith = async (code) => {
    const served = await serve(t)
    served.wire.on('connection', (socket) => socket.close(code))
    return served
  }
  const closing = await Promise.all([1001, 1008, 1013, 4008, 4029].map(closeWith))
  const breaking = await serve(t)
  breaking.wire.on('connection', (socket) => socket._socket.end('nonsense'))
  const all = [nobody, ...[...refusing, ...closing, breaking].map(({ url }) => url)]
  const outcomes = await Promise.all(
    all.map((url) => run(`const stream = new Stream('${url}', { retry: { first: 50, most: 50 } })\n${PATIENT}`)),
  )
  for (const [index, { code, stdout, stderr }] of outcomes.entries()) {
    assert.deepEqual([code, stderr], [0, ''], all[index])
    assert.match(stdout, index < 3 ? /^reconnecting closed\n$/ : /^(open reconnecting ?){3,}.*closed\n$/, all[index])
  }
})

test('a token that cannot be had is said, and asked for again', async () => {
  const { code, stdout, stderr } = await run(`
    let asked = 0
    const token = async () => { asked += 1; throw new Error('no token') }
    const stream = new Stream('ws://127.0.0.1:9', { token, retry: { first: 50, most: 50 } })
    setTimeout(() => { stream.close(); console.log(asked > 3) }, 1000)`)
  assert.deepEqual([code, stdout], [0, 'true\n'])
  assert.match(stderr, /A stream cannot connect: Error: no token/)
})

test('a stream that is closed does not keep the process', async (t) => {
  const { url } = await serve(t)
  const { code } = await run(`
    const stream = new Stream('${url}')
    stream.onStateChange((state) => state === 'open' && stream.close())`)
  assert.equal(code, 0)
})

test('a connection that died without a word is left, and does not keep the process', async (t) => {
  const { url, wire } = await serve(t)
  let connections = 0
  wire.on('connection', (socket) => {
    connections += 1
    socket.on('message', () => {
      socket.send('{"type":"hello","data":{"protocol":1,"epoch":"e"}}')
      socket._socket.pause()
    })
  })
  const started = Date.now()
  const { code, stdout } = await run(`
    const stream = new Stream('${url}', { retry: { first: 50, most: 50 } })
    setTimeout(() => stream.wake(), 500)
    stream.onStateChange((state) => {
      if (state === 'reconnecting') setTimeout(() => { console.log(stream.state); stream.close() }, 500)
    })`)
  assert.deepEqual([code, stdout, connections], [0, 'open\n', 2])
  const took = Date.now() - started
  assert.ok(took < 12_000, `it took ${took} ms`)
})

test('it is the WebSocket that is asked for, else ours, whether Node has one or not', async (t) => {
  const { url } = await serve(t)
  const opened = (options) =>
    new Promise((resolve) => {
      const stream = new Stream(url, options)
      stream.onStateChange((state) => {
        if (state !== 'open') return
        stream.close()
        resolve()
      })
    })
  const before = globalThis.WebSocket
  t.after(() => {
    globalThis.WebSocket = before
  })
  const used = []
  const named = (name) =>
    class extends ws.WebSocket {
      constructor(...given) {
        super(...given)
        used.push(name)
      }
    }
  globalThis.WebSocket = named('global')
  await opened({ WebSocket: named('given') })
  await opened()
  assert.deepEqual(used, ['given'])
})
