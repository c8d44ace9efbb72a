// The client for browsers, with a WebSocket and a page that are none.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { Stream } from '../index.mjs'

let sockets
let streams

class FakeSocket {
  readyState = 0
  sent = []
  constructor(url, protocols) {
    Object.assign(this, { url, protocols })
    sockets.push(this)
  }
  send(text) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    this.readyState = 3
  }
  opens() {
    this.readyState = 1
    this.onopen({})
  }
  says(message) {
    this.onmessage({ data: JSON.stringify(message) })
  }
}

beforeEach(() => {
  sockets = []
  streams = []
  globalThis.WebSocket = FakeSocket
})

afterEach(() => {
  for (const stream of streams) stream.close()
  for (const name of ['WebSocket', 'location', 'document', 'addEventListener', 'removeEventListener'])
    delete globalThis[name]
})

const settled = () => new Promise((resolve) => setImmediate(resolve))

function open(...given) {
  streams.push(new Stream(...given))
  return streams.at(-1)
}

function urlFor(...given) {
  open(...given)
  return sockets.at(-1)?.url
}

test('the address is used as it is, a path is one of the page’s server', () => {
  assert.equal(urlFor('ws://host:3000/some/path?a=1'), 'ws://host:3000/some/path?a=1')
  assert.equal(urlFor('https://host/'), 'wss://host/')
  globalThis.location = { href: 'https://shop.example/cart?x=1#top' }
  assert.equal(urlFor('/ws'), 'wss://shop.example/ws')
})

test('the token goes into the query, under the name that it is to have', () => {
  assert.equal(urlFor('ws://host/?a=1', { token: 'a b&c' }), 'ws://host/?a=1&token=a+b%26c')
  assert.equal(urlFor('ws://host/', { token: 't', tokenParam: 'authToken' }), 'ws://host/?authToken=t')
  assert.equal(urlFor('ws://host/', { token: undefined }), 'ws://host/')
})

test('functions are asked for each connection anew', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  let n = 0
  open(() => `ws://host${n}/`, { token: async () => `t${++n}`, protocols: () => [`p${n}`] })
  assert.equal(sockets.length, 0)
  await settled()
  sockets[0].opens()
  sockets[0].onclose({})
  t.mock.timers.tick(500)
  await settled()
  assert.deepEqual(
    sockets.map(({ url, protocols }) => [url, protocols]),
    [
      ['ws://host0/?token=t1', ['p0']],
      ['ws://host1/?token=t2', ['p1']],
    ],
  )
})

test('an address that is none is said and tried again', (t) => {
  t.mock.method(console, 'error', () => {})
  assert.equal(urlFor('not an address'), undefined)
  assert.equal(streams[0].state, 'reconnecting')
  assert.match(String(console.error.mock.calls[0].arguments[1]), /Invalid URL/)
})

test('an error without a close is one', () => {
  const stream = open('ws://host/')
  sockets[0].onerror({})
  assert.equal(stream.state, 'reconnecting')
})

/** A page of which a test says what happens to it. */
function createPage() {
  const page = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  const listening = []
  for (const name of ['addEventListener', 'removeEventListener']) {
    globalThis[name] = page[name].bind(page)
    const original = document[name].bind(document)
    document[name] = (...given) => {
      listening.push(`${name} ${given[0]}`)
      original(...given)
    }
  }
  globalThis.document = document
  return { document, listening, happens: (target, type) => (target ?? page).dispatchEvent(new Event(type)) }
}

test('a page that is online or seen again tries at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { document, happens, listening } = createPage()
  const stream = open('ws://host/')
  sockets[0].onclose({})
  document.visibilityState = 'hidden'
  happens(document, 'visibilitychange')
  assert.equal(sockets.length, 1)
  document.visibilityState = 'visible'
  happens(document, 'visibilitychange')
  assert.equal(sockets.length, 2)
  sockets[1].onclose({})
  happens(undefined, 'online')
  assert.equal(sockets.length, 3)
  sockets[2].opens()
  sockets[2].says({ type: 'hello', data: { protocol: 1, epoch: 'e' } })
  happens(undefined, 'online')
  happens(undefined, 'offline')
  assert.equal(sockets[2].sent.filter(({ type }) => type === 'ping').length, 3)
  t.mock.timers.tick(5000)
  assert.equal(stream.state, 'reconnecting', 'nobody answers')
  happens(undefined, 'offline')
  assert.equal(sockets.length, 3, 'nobody will just now')
  stream.close()
  happens(undefined, 'online')
  assert.deepEqual(listening, ['addEventListener visibilitychange', 'removeEventListener visibilitychange'])
  assert.equal(sockets.length, 3)
})
