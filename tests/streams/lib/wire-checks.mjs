// What goes over the wire, frame by frame: what no client shows but each relies on.
import { request } from 'node:http'
import { WebSocket } from 'ws'
import { createServerSide, eventually, expect, runChecks, same } from './harness.mjs'

export function run({ env }) {
  const open = []
  const context = {
    ...createServerSide(env),
    env,
    features: {},
    async connect(url = env.url, protocols = undefined) {
      const socket = await connect(url, protocols)
      open.push(socket)
      return socket
    },
    cleanUp() {
      for (const { close } of open.splice(0)) close()
    },
  }
  return runChecks(CHECKS, context, env)
}

async function connect(url, protocols) {
  const socket = new WebSocket(url, protocols)
  const frames = []
  let closed = null
  socket.on('message', (data, isBinary) => {
    expect(!isBinary, 'a frame is binary')
    frames.push(JSON.parse(data.toString()))
  })
  socket.on('close', (code) => {
    closed = code
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const say = (type) => (streamName, groupId, id) => {
    const data = { streamName, groupId, ...(id === undefined ? {} : { id }) }
    data.subscriptionId = `${streamName} ${groupId} ${id}`
    socket.send(JSON.stringify({ type, data }))
  }
  return {
    frames,
    protocol: socket.protocol,
    closed: () => closed,
    send: (data) => socket.send(data),
    join: say('join'),
    leave: say('leave'),
    close: () => socket.terminate(),
    /** What the server has sent so far, without timestamps. */
    plain: () => frames.map(({ timestamp, ...frame }) => frame),
    /** Joins an empty group, whose sync comes after the answers to all before it. */
    async settle(group) {
      say('join')('board', group)
      const isSync = ({ groupId, event }) => groupId === group && event.type === 'sync'
      await eventually(() => frames.some(isSync), 'the sync of an empty group')
      say('leave')('board', group)
      frames.splice(frames.findIndex(isSync), 1)
    },
  }
}

const CHECKS = [
  ['frames-of-a-group', framesOfGroup],
  ['frames-of-an-item', framesOfItem],
  ['frames-of-events', framesOfEvents],
  ['one-frame-per-change', oneFrame],
  ['timestamps-rise', timestampsRise],
  ['timestamp-of-a-sync', timestampOfSync],
  ['join-missing', joinMissing],
  ['delete-missing', deleteMissing],
  ['item-of-other-group', itemOfOtherGroup],
  ['denied', denied],
  ['unknown-stream', unknownStream],
  ['leave', leave],
  ['answers-in-order', answersInOrder],
  ['subprotocol', subprotocol],
  ['refused-token', refusedToken],
  ['bad-frames', badFrames],
]

const at = (groupId, id) => ({ streamName: 'board', groupId, ...(id === undefined ? {} : { id }) })

async function storedItem(c, group, id) {
  return (await c.stored(group)).find((item) => item.id === id)
}

async function framesOfGroup(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  const before = Date.now()
  socket.join('board', group)
  await socket.settle(c.newGroup())
  await c.set(group, 'o1', { n: 1 })
  const first = await storedItem(c, group, 'o1')
  await c.set(group, 'o1', { n: 2, id: 'ignored' })
  const second = await storedItem(c, group, 'o1')
  await c.remove(group, 'o1')
  await eventually(() => socket.frames.length >= 4, 'the fourth frame')
  await c.quiet()
  same(second.id, 'o1', 'the id in the data')
  const expected = [
    { ...at(group), event: { type: 'sync', data: [] } },
    { ...at(group, 'o1'), event: { type: 'create', data: first } },
    { ...at(group, 'o1'), event: { type: 'update', data: second } },
    { ...at(group, 'o1'), event: { type: 'delete', data: second } },
  ]
  same(socket.plain(), expected, 'the frames')
  for (const { timestamp } of socket.frames) {
    expect(typeof timestamp === 'number', `a timestamp is ${timestamp}`)
    expect(Math.abs(timestamp - before) < 60_000, `a timestamp is ${timestamp - before} ms away from now`)
  }
}

async function framesOfItem(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const first = await storedItem(c, group, 'o1')
  const socket = await c.connect()
  socket.join('board', group, 'o1')
  await socket.settle(c.newGroup())
  await c.remove(group, 'o1')
  await c.set(group, 'o1', { n: 2 })
  const second = await storedItem(c, group, 'o1')
  await eventually(() => socket.frames.length >= 3, 'the third frame')
  const expected = [
    { ...at(group, 'o1'), event: { type: 'sync', data: first } },
    { ...at(group, 'o1'), event: { type: 'delete', data: first } },
    { ...at(group, 'o1'), event: { type: 'create', data: second } },
  ]
  same(socket.plain(), expected, 'the frames')
}

async function framesOfEvents(c) {
  const group = c.newGroup()
  const [whole, item] = [await c.connect(), await c.connect()]
  whole.join('board', group)
  item.join('board', group, 'o1')
  for (const socket of [whole, item]) {
    await socket.settle(c.newGroup())
    socket.frames.length = 0
  }
  const event = { type: 'note', data: { deep: [1, null] } }
  await c.send(group, undefined, event)
  await c.send(group, 'o1', event)
  await c.send(group, 'o2', event)
  await eventually(() => whole.frames.length > 0 && item.frames.length > 0, 'the events')
  await c.quiet()
  same(item.plain(), [{ ...at(group, 'o1'), event: { type: 'event', event } }], 'the frames of the item')
  same(whole.plain()[0], { ...at(group), event: { type: 'event', event } }, 'the first frame of the group')
  const more = whole.plain().slice(1)
  return `events with an id reach the group: ${more.length > 0}`
}

async function oneFrame(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  socket.join('board', group)
  socket.join('board', group, 'o1')
  await socket.settle(c.newGroup())
  socket.frames.length = 0
  await c.set(group, 'o1', { n: 1 })
  await c.set(group, 'o1', { n: 2 })
  await c.send(group, 'o1', { type: 'note', data: 1 })
  await c.send(group, undefined, { type: 'note', data: 2 })
  await c.remove(group, 'o1')
  await eventually(() => socket.frames.some(({ event }) => event.type === 'delete'), 'the delete')
  await c.quiet()
  same(
    socket.frames.map(({ event }) => event.type),
    ['create', 'update', 'event', 'event', 'delete'],
    'the frames',
  )
}

/** A client drops what is not newer than the last of its item: changes, events and syncs alike. */
async function timestampsRise(c) {
  const group = c.newGroup()
  await c.set(group, 'fast', { n: -1 })
  const socket = await c.connect()
  socket.join('board', group, 'fast')
  await socket.settle(c.newGroup())
  const bursting = c.burst(group, 'fast', 300, true)
  for (let n = 0; n < 20; n += 1) socket.join('board', group, 'fast')
  await bursting
  await eventually(() => socket.frames.length >= 621, `621 frames (there are ${socket.frames.length})`, 3000)
  const stamps = socket.frames.map(({ timestamp }) => timestamp)
  const wrong = stamps.findIndex((stamp, index) => index > 0 && stamp <= stamps[index - 1])
  expect(wrong < 0, `frame ${wrong} has ${stamps[wrong]} after ${stamps[wrong - 1]}`)
  const changes = socket.frames.filter(({ event }) => event.type === 'update').map(({ event }) => event.data.n)
  same(changes, [...Array(300).keys()], 'the changes')
  const ahead = stamps.at(-1) - Date.now()
  return `${stamps.length} frames; the last is ${ahead.toFixed(1)} ms from now`
}

async function timestampOfSync(c) {
  const group = c.newGroup()
  const [first, second] = [await c.connect(), await c.connect()]
  first.join('board', group)
  await first.settle(c.newGroup())
  await c.burst(group, 'fast', 500)
  await eventually(() => first.frames.length >= 501, 'the last change')
  second.join('board', group)
  second.join('board', group, 'fast')
  await second.settle(c.newGroup())
  const last = first.frames.at(-1).timestamp
  const [whole, item] = second.frames.map(({ timestamp }) => timestamp)
  expect(whole >= last, `the sync of the group has ${whole}, the last change ${last}`)
  expect(item > last, `the sync of the item has ${item}, the last change ${last}`)
}

async function joinMissing(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  socket.join('board', group, 'missing')
  await socket.settle(c.newGroup())
  same(socket.plain(), [{ ...at(group, 'missing'), event: { type: 'sync', data: null } }], 'the frames')
}

async function deleteMissing(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  socket.join('board', group)
  socket.join('board', group, 'gone')
  await socket.settle(c.newGroup())
  socket.frames.length = 0
  await c.remove(group, 'gone')
  await c.set(group, 'other', { n: 1 })
  await eventually(() => socket.frames.some(({ id }) => id === 'other'), 'the change after it')
  same(
    socket.frames.map(({ id }) => id),
    ['other'],
    'the items of the frames',
  )
}

async function itemOfOtherGroup(c) {
  const [here, there] = [c.newGroup(), c.newGroup()]
  const socket = await c.connect()
  socket.join('board', here, 'o1')
  await socket.settle(c.newGroup())
  socket.frames.length = 0
  await c.set(there, 'o1', { n: 1 })
  await c.send(there, 'o1', { type: 'note', data: 1 })
  await c.set(here, 'o1', { n: 2 })
  await eventually(() => socket.frames.some(({ groupId }) => groupId === here), 'the change')
  same(
    socket.frames.map(({ groupId }) => groupId),
    [here],
    'the groups of the frames',
  )
}

const refusal = (room, data) => ({ ...room, event: { type: 'event', event: { type: 'error', data } } })
const DENIED = { code: 'STREAM_ACCESS_DENIED', message: 'Access denied' }

async function denied(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  socket.join('locked', group)
  socket.join('locked', group, 'o1')
  await socket.settle(c.newGroup())
  await c.set(group, 'o1', { secret: true }, 'locked')
  await c.quiet()
  const room = { streamName: 'locked', groupId: group }
  same(socket.plain(), [refusal(room, DENIED), refusal({ ...room, id: 'o1' }, DENIED)], 'the frames')
}

async function unknownStream(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  socket.join('nope', group)
  socket.join('nope', group, 'o1')
  await socket.settle(c.newGroup())
  const messages = socket.frames.map(({ id, event }) => [id ?? '', event.event?.type, event.event?.data?.message])
  const both = (id) => ['Stream nope not found', 'Access denied'].map((message) => [id, 'error', message])
  same(messages, [...both(''), ...both('o1')], 'the messages')
  const stamps = socket.frames.slice(2).map(({ timestamp }) => timestamp)
  expect(stamps[1] > stamps[0], 'the second error of an item is not newer than the first, so a client drops it')
}

async function leave(c) {
  const group = c.newGroup()
  const socket = await c.connect()
  socket.join('board', group)
  socket.join('board', group, 'o1')
  socket.leave('board', group)
  await socket.settle(c.newGroup())
  socket.frames.length = 0
  await c.set(group, 'o2', { n: 1 })
  await c.set(group, 'o1', { n: 1 })
  await eventually(() => socket.frames.length > 0, 'the change of the item')
  socket.leave('board', group, 'o1')
  await socket.settle(c.newGroup())
  await c.set(group, 'o1', { n: 2 })
  await c.quiet()
  same(
    socket.frames.map(({ id, event }) => [id, event.data?.n]),
    [['o1', 1]],
    'the frames',
  )
}

/** Even where one join asks `canAccess` and the next does not. */
async function answersInOrder(c) {
  const groups = [...Array(12)].map(() => c.newGroup())
  const socket = await c.connect()
  for (const [index, group] of groups.entries()) socket.join(['members', 'board', 'rooms'][index % 3], group)
  await eventually(() => socket.frames.length >= groups.length, 'the answers')
  same(
    socket.frames.map(({ groupId }) => groupId),
    groups,
    'the groups of the answers',
  )
}

async function subprotocol(c) {
  for (const protocols of [['one'], ['first', 'second'], ['token.ann', 'x']]) {
    const socket = await c.connect(c.url, protocols)
    same(socket.protocol, protocols[0], 'the subprotocol')
  }
  same((await c.connect()).protocol, '', 'the subprotocol where none was offered')
}

async function refusedToken(c) {
  const { hostname, port } = new URL(c.url)
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'c3RyZWFtLWNsaWVudHMtMQ==',
  }
  const answer = await new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path: '/?token=bob', headers })
    asked.on('upgrade', (_response, socket) => {
      socket.destroy()
      reject(new Error('the connection was accepted'))
    })
    asked.on('response', async (response) => {
      let body = ''
      for await (const chunk of response) body += chunk
      resolve([response.statusCode, body])
    })
    asked.on('error', reject).end()
  })
  same(answer, [401, 'Authentication failed'], 'the answer')
}

/** They may cost their own connection, never the server or another connection. */
async function badFrames(c) {
  const group = c.newGroup()
  const watcher = await c.connect()
  watcher.join('board', group)
  await watcher.settle(c.newGroup())
  const join = (data) => JSON.stringify({ type: 'join', data })
  const frames = [
    'not json',
    '',
    'null',
    '[]',
    '7',
    '{}',
    '{"type":"join"}',
    '{"type":"join","data":null}',
    '{"type":"leave","data":{}}',
    '{"type":"dance","data":{}}',
    join({ streamName: 'board' }),
    join({ streamName: 7, groupId: {} }),
    join({ streamName: '__proto__', groupId: 'constructor' }),
    join({ streamName: 'board', groupId: '' }),
    JSON.stringify({ type: 'leave', data: { streamName: 'board', groupId: 'never', subscriptionId: 'joined' } }),
    Buffer.from([0, 255, 254]),
    Buffer.alloc(0),
  ]
  let closed = 0
  for (const frame of frames) {
    const socket = await c.connect()
    socket.send(frame)
    socket.join('board', c.newGroup())
    const answered = () => socket.closed() !== null || socket.frames.some(({ event }) => event.type === 'sync')
    await eventually(answered, `an answer or an end after ${JSON.stringify(frame.toString())}`)
    if (socket.closed() !== null) closed += 1
    socket.close()
  }
  await c.set(group, 'o1', { n: 1 })
  await eventually(() => watcher.frames.length >= 2, 'the change at another connection')
  return `${closed} of ${frames.length} ended their connection`
}
