// A small server with the wire of the original's streams, and the rules that its clients need. It exists to prove the
// checks: with `--break NAME` it does one thing wrong.
//
//   node stand-in.mjs --port N [--data FILE] [--hello] [--break NAME,NAME]
//
// With `--hello` it answers those who say so, as a server of ours.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { WebSocketServer } from 'ws'
import { createHello } from './lib/hello.mjs'

/** What can be done wrong, by name. */
export const MISTAKES = {
  'flat-stamps': 'timestamps are whole milliseconds, and several may be the same',
  'inner-events': 'each change is sent as an event first, with the same timestamp',
  'double-frames': 'a socket gets a change once per subscription instead of once',
  'null-delete': 'deleting a missing item sends a delete without data',
  'leaky-items': 'subscribers of an item get the item with that id of every group',
  'deaf-leave': 'leave does nothing',
  'greedy-leave': 'leave ends every subscription of the socket to that room',
  'silent-missing': 'joining a missing item answers nothing',
  'silent-empty': 'joining an empty group answers nothing',
  'old-sync': 'the timestamp of a sync is a minute old',
  'unsorted-sync': 'a sync is in the order of ids, backwards',
  'blind-join': 'changes that happen while a join is answered are lost',
  'shuffled-frames': 'frames leave in another order than the changes',
  'binary-frames': 'frames are binary',
  'open-doors': 'canAccess is not asked',
  'mute-doors': 'a refused join sends nothing',
  'no-subprotocol': 'no offered subprotocol is chosen',
  'one-path': 'only the path / is a WebSocket',
  fragile: 'a frame that is not JSON ends the process',
  'lost-events': 'custom events are not sent',
  'no-reset': 'what is in the group at a join is sent as creates, without a sync',
  'short-replay': 'who comes back is not told the first of what it missed',
  'no-history': 'who comes back is told how things are, not what it missed',
  'no-pong': 'pings are not answered',
  'silent-presence': 'nobody is told who comes and goes',
}

const STREAMS = {
  board: () => true,
  rooms: () => true,
  locked: () => false,
  members: (_subscription, who) => who?.user === 'ann',
}
const STEP = 1 / 1024

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    data: { type: 'string' },
    hello: { type: 'boolean', default: false },
    break: { type: 'string', default: '' },
  },
})
const mistakes = new Set(options.break.split(',').filter(Boolean))
const broken = (name) => mistakes.has(name)
for (const name of mistakes) if (!Object.hasOwn(MISTAKES, name)) throw new Error(`There is no mistake ${name}`)
const hello = createHello(broken)

// ---------------------------------------------------------------------------------------------------------------- items

/** stream → group → id → item */
let items = {}
let lastStamp = 0
/** Each open socket with its subscriptions by id. */
const sockets = new Map()

const groupOf = (stream, group) => {
  items[stream] ??= {}
  items[stream][group] ??= {}
  return items[stream][group]
}

const sorted = (stream, group) => {
  const all = Object.values(groupOf(stream, group))
  if (broken('unsorted-sync')) return all.sort((a, b) => (a.id < b.id ? 1 : -1))
  return all.sort((a, b) => a._createdAt - b._createdAt)
}

function stamp() {
  if (broken('flat-stamps')) return Date.now()
  lastStamp = Math.max(Date.now(), lastStamp + STEP)
  return lastStamp
}

function set(stream, group, id, data) {
  const known = groupOf(stream, group)
  const item = { _createdAt: Date.now(), ...data, id }
  const type = Object.hasOwn(known, id) ? 'update' : 'create'
  known[id] = item
  publish(stream, group, id, { type, data: item })
  return item
}

function remove(stream, group, id) {
  const known = groupOf(stream, group)
  const item = known[id] ?? null
  delete known[id]
  if (item || broken('null-delete')) publish(stream, group, id, { type: 'delete', data: item })
  return item
}

// --------------------------------------------------------------------------------------------------------------- frames

const message = ({ streamName, groupId, id }, event, timestamp = stamp()) => ({
  timestamp,
  streamName,
  groupId,
  ...(id === undefined ? {} : { id }),
  event,
})

/** `more` is for those who said hello. */
function frame(socket, room, event, timestamp, more) {
  const plain = message(room, event, timestamp)
  if (hello.knows(socket)) return hello.send(socket, { ...plain, ...more })
  const text = JSON.stringify(plain)
  const write = () => socket.send(broken('binary-frames') ? Buffer.from(text) : text)
  if (broken('shuffled-frames')) setTimeout(write, Math.random() * 20)
  else write()
}

/** An event to an item is for those who watch the item, not for those who watch its group. */
function watches(subscription, { streamName, groupId, id }, onlyItem) {
  if (subscription.streamName !== streamName) return false
  if (subscription.id === undefined) return subscription.groupId === groupId && !onlyItem
  return subscription.id === id && (subscription.groupId === groupId || broken('leaky-items'))
}

function publish(streamName, groupId, id, event) {
  const room = { streamName, groupId, ...(id === undefined ? {} : { id }) }
  const custom = event.type === 'event'
  if (custom && broken('lost-events')) return
  const timestamp = stamp()
  const more = custom ? {} : { offset: hello.record(message(room, event, timestamp)) }
  for (const [socket, subscriptions] of sockets) {
    const onlyItem = custom && id !== undefined && !broken('double-frames')
    const watching = [...subscriptions.values()].filter((each) => watches(each, room, onlyItem))
    const frames = broken('double-frames') ? watching.length : Math.min(watching.length, 1)
    for (let n = 0; n < frames; n += 1) {
      if (broken('inner-events') && !custom) frame(socket, room, { type: 'event', event }, timestamp)
      frame(socket, room, event, timestamp, more)
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------- joins

function join(socket, who, subscription) {
  const { streamName, groupId, id, subscriptionId } = subscription
  const allowed = Object.hasOwn(STREAMS, streamName) && (broken('open-doors') || STREAMS[streamName](subscription, who))
  if (!allowed) {
    const refuse = (data) =>
      frame(socket, subscription, { type: 'event', event: { type: 'error', data } }, stamp(), { subscriptionId })
    if (broken('mute-doors')) return
    if (!Object.hasOwn(STREAMS, streamName)) refuse({ message: `Stream ${streamName} not found` })
    refuse({ code: 'STREAM_ACCESS_DENIED', message: 'Access denied' })
    return
  }
  const key = subscriptionId ?? `${streamName} ${groupId} ${id}`
  if (broken('blind-join')) setTimeout(() => sockets.get(socket)?.set(key, subscription), 30)
  else sockets.get(socket).set(key, subscription)

  const data = id === undefined ? sorted(streamName, groupId) : (groupOf(streamName, groupId)[id] ?? null)
  if (hello.knows(socket))
    return hello.answer(socket, subscription, message(subscription, { type: 'sync', data }), message)
  if (data === null && broken('silent-missing')) return
  if (data?.length === 0 && broken('silent-empty')) return
  if (broken('no-reset') && id === undefined) {
    for (const item of data) frame(socket, { streamName, groupId, id: item.id }, { type: 'create', data: item })
    return
  }
  frame(socket, { streamName, groupId, id }, { type: 'sync', data }, broken('old-sync') ? Date.now() - 60_000 : stamp())
}

function leave(socket, subscription) {
  if (broken('deaf-leave')) return
  const subscriptions = sockets.get(socket)
  subscriptions.delete(subscription.subscriptionId)
  hello.left(socket, subscription.subscriptionId, message)
  if (!broken('greedy-leave')) return
  for (const [key, { streamName, groupId, id }] of subscriptions) {
    const same = streamName === subscription.streamName && groupId === subscription.groupId && id === subscription.id
    if (same) subscriptions.delete(key)
  }
}

function receive(socket, who, text) {
  let said
  try {
    said = JSON.parse(text)
  } catch (error) {
    if (broken('fragile')) process.exit(1)
    return error
  }
  if (options.hello && said && hello.receive(socket, said)) return
  const subscription = said?.data
  const complete = typeof subscription?.streamName === 'string' && typeof subscription.groupId === 'string'
  if (!complete) return
  const act = () => {
    if (said.type === 'join') join(socket, who, subscription)
    if (said.type === 'leave') leave(socket, subscription)
  }
  if (hello.knows(socket)) hello.inTurn(socket, act)
  else act()
}

// ----------------------------------------------------------------------------------------------------------------- HTTP

const routes = {
  '/do': ({ op, stream = 'board', group, id, data, event, count }) => {
    if (op === 'set') return { result: set(stream, group, id, data) }
    if (op === 'get') return { result: groupOf(stream, group)[id] ?? null }
    if (op === 'delete') return { result: remove(stream, group, id) }
    if (op === 'send') return { result: publish(stream, group, id, { type: 'event', event }) ?? null }
    const pad = 'x'.repeat(data?.pad ?? 0)
    return { result: fill(stream, group, count, pad) }
  },
  '/burst': ({ stream = 'board', group, id, count, send }) => {
    for (let n = 0; n < count; n += 1) {
      set(stream, group, id, { n })
      if (send) publish(stream, group, id, { type: 'event', event: { type: 'tick', data: { n } } })
    }
    return { count }
  },
}

async function fill(stream, group, count, pad) {
  for (let n = 0; n < count; n += 1) {
    set(stream, group, `i${n}`, { n, pad, _createdAt: 1000 + n })
    await new Promise((resolve) => setImmediate(resolve))
  }
  return count
}

const http = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
  const path = new URL(request.url, 'http://localhost').pathname
  if (path.startsWith('/group/')) {
    const group = decodeURIComponent(path.slice('/group/'.length))
    const all = Object.values(groupOf('board', group))
    return answer(
      200,
      all.sort((a, b) => a._createdAt - b._createdAt),
    )
  }
  if (!Object.hasOwn(routes, path)) return answer(404, { error: 'Not found' })
  let text = ''
  for await (const chunk of request) text += chunk
  const outcome = routes[path](JSON.parse(text))
  answer(200, 'result' in outcome ? { result: await outcome.result } : outcome)
})

// ------------------------------------------------------------------------------------------------------------ WebSocket

const wire = new WebSocketServer({
  noServer: true,
  handleProtocols: (offered) => (broken('no-subprotocol') ? false : [...offered][0]),
})

/** `{user}`, null for nobody, false for a token that is refused. */
function whoIs(request) {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  const query = new URL(request.url, 'http://localhost').searchParams.get('token')
  const token = query ?? offered.find((each) => each.startsWith('token.'))?.slice('token.'.length)
  if (token === undefined) return null
  return token === 'ann' ? { user: token } : false
}

http.on('upgrade', (request, connection, head) => {
  const who = whoIs(request)
  const refuse = (status, body) =>
    connection.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  if (who === false) return refuse('401 Unauthorized', 'Authentication failed')
  if (broken('one-path') && request.url !== '/') return refuse('404 Not Found', '')
  wire.handleUpgrade(request, connection, head, (socket) => {
    sockets.set(socket, new Map())
    socket.on('message', (text) => receive(socket, who, text.toString()))
    const forget = () => {
      sockets.delete(socket)
      hello.left(socket, undefined, message)
    }
    socket.on('close', forget).on('error', forget)
  })
})

try {
  if (options.data) {
    const kept = JSON.parse(readFileSync(options.data, 'utf8'))
    items = kept.items
    hello.know(kept.hello)
  }
} catch (error) {
  if (error.code !== 'ENOENT') throw error
}
process.on('SIGTERM', () => {
  if (options.data) writeFileSync(options.data, JSON.stringify({ items, hello: hello.kept() }))
  process.exit(0)
})
http.listen(Number(options.port), '127.0.0.1', () => console.log(`ready ${http.address().port}`))
