// What one would write without Motia: groups of items in memory, and each change to all who watch, by `ws` as its README
// broadcasts. Joins and messages are those of Motia's plain protocol (sdk/protocol/streams.md), so that one client reads both.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { address } from './address.mjs'

const groups = new Map()

/** A group, made by whoever comes first. */
function groupOf(name) {
  const known = groups.get(name)
  if (known) return known
  const made = { items: new Map(), watchers: new Set() }
  groups.set(name, made)
  return made
}

/** Serialised once, for however many. A buffer, so that it is not encoded anew for each of them. */
function message(groupId, id, event) {
  const timestamp = Date.now()
  return Buffer.from(JSON.stringify({ timestamp, streamName: 'ticks', groupId, id, event }))
}

function set(groupId, id, data) {
  const { items, watchers } = groupOf(groupId)
  const type = items.has(id) ? 'update' : 'create'
  const item = { ...data, id, _createdAt: Date.now() }
  items.set(id, item)
  const text = message(groupId, id, { type, data: item })
  for (const watcher of watchers) watcher.send(text, { binary: false })
}

/** So many bytes of JSON. `at` is the microseconds of CLOCK_MONOTONIC, which the bench reads as well. */
function payload(bytes) {
  const at = Number(process.hrtime.bigint() / 1000n)
  return { at, text: 'x'.repeat(bytes - `{"at":${at},"text":""}`.length) }
}

/** Sets number `from` and the next ones, in turn to `groups` groups of `items` items each. */
function sets({ group, groups, items, from, count, bytes }) {
  for (let n = from; n < from + count; n++) {
    const item = Math.floor(n / groups) % items
    set(`${group}-${n % groups}`, `item-${item}`, payload(bytes))
  }
  return { set: count }
}

async function answer(request, response) {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  const body = Buffer.concat(pieces)
  const text = JSON.stringify(request.url === '/sets' ? sets(JSON.parse(body)) : { hello: 'world' })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text)
}

const server = createServer(answer)
new WebSocketServer({ server }).on('connection', (socket) => {
  const joined = new Set()
  socket.on('message', (bytes) => {
    const { type, data } = JSON.parse(bytes)
    if (type !== 'join') return
    const group = groupOf(data.groupId)
    group.watchers.add(socket)
    joined.add(group)
    const event = { type: 'sync', data: [...group.items.values()] }
    socket.send(message(data.groupId, undefined, event), { binary: false })
  })
  socket.on('close', () => {
    for (const group of joined) group.watchers.delete(socket)
  })
  socket.on('error', () => {})
})
server.listen(address.port, address.host)
