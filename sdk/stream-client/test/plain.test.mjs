// What the clients of 0.x did, against a server that knows no hello.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { change, connect, message, watch } from './support/fake.mjs'

const ids = (items) => items.map(({ id }) => id).join(' ')

test('says hello first, then what is watched, and says when it is watched no more', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  const item = stream.subscribeItem('s', 'g', '1')
  const { subscriptionId } = group.sub
  assert.deepEqual(server.sockets[0].sent, [
    { type: 'hello', data: { protocol: 1 } },
    { type: 'join', data: { streamName: 's', groupId: 'g', subscriptionId } },
    { type: 'join', data: { streamName: 's', groupId: 'g', id: '1', subscriptionId: item.sub.subscriptionId } },
  ])
  assert.notEqual(subscriptionId, item.sub.subscriptionId)
  group.close()
  group.close()
  assert.deepEqual(server.sent('leave'), [{ type: 'leave', data: { streamName: 's', groupId: 'g', subscriptionId } }])
})

test('joins what was asked for before it was open, and all again at the next connection', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { server, stream } = connect(t, { plain: true })
  const kept = stream.subscribeGroup('s', 'g')
  stream.subscribeGroup('s', 'other').close()
  server.lose()
  const meanwhile = stream.subscribeItem('s', 'g', '1')
  t.mock.timers.tick(500)
  assert.equal(server.sockets.length, 2)
  server.open()
  assert.deepEqual(
    server.sent('join').map(({ data }) => data.subscriptionId),
    [kept.sub.subscriptionId, meanwhile.sub.subscriptionId],
  )
})

test('a group: sync replaces, create appends, update replaces, delete filters', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  const seen = watch(group)
  server.say(message({ type: 'sync', data: [{ id: '2' }, { id: '1' }] }))
  server.say(change('create', { id: '3', n: 1 }))
  server.say(change('create', { id: '3', n: 2 }))
  assert.equal(group.getState()[2].n, 2)
  server.say(change('update', { id: '3', n: 3 }))
  server.say(change('update', { id: 'unknown' }))
  server.say(change('delete', { id: '2' }))
  server.say(message({ type: 'delete', data: null }, { id: 'missing' }))
  assert.deepEqual(group.getState(), [{ id: '1' }, { id: '3', n: 3 }])
  assert.deepEqual(seen.map(ids), ['2 1', '2 1 3', '2 1 3', '2 1 3', '2 1 3', '1 3', '1 3'])
})

test('a sync that is older than a change is passed over, but not at a new connection', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  const item = stream.subscribeItem('s', 'g', '1')
  server.say(change('create', { id: '1', n: 2 }, { timestamp: 5000 }))
  server.say(message({ type: 'sync', data: [] }, { timestamp: 4999 }))
  server.say(message({ type: 'sync', data: null }, { timestamp: 5000, id: '1' }))
  assert.deepEqual([group.getState(), item.getState()], [[{ id: '1', n: 2 }], { id: '1', n: 2 }])
  server.lose()
  t.mock.timers.tick(500)
  server.open()
  server.say(message({ type: 'sync', data: [] }, { timestamp: 1 }))
  server.say(message({ type: 'sync', data: null }, { timestamp: 1, id: '1' }))
  assert.deepEqual([group.getState(), item.getState()], [[], null])
})

test('groups and items that are counted are those that the server calls by texts', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const item = stream.subscribeItem('s', 7, 1)
  server.say(message({ type: 'sync', data: { id: '1' } }, { groupId: '7', id: '1' }))
  assert.deepEqual(item.getState(), { id: '1' })
})

test('the sort key is compared as text, and who has none comes first', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g', 'k')
  const data = ['b', 'B', 10, 9, undefined].map((k, index) => ({ id: `${index}`, k }))
  server.say(message({ type: 'sync', data }))
  server.say(change('create', { id: 'new', k: 'a' }))
  assert.equal(ids(group.getState()), '4 2 3 new 0 1')
  server.say(change('update', { id: 'new', k: 'c' }))
  assert.equal(ids(group.getState()), '4 2 3 0 1 new')
})

test('an item drops what is older, and hears of itself alone', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const item = stream.subscribeItem('s', 'g', '1')
  const seen = watch(item)
  assert.equal(item.getState(), null)
  server.say(message({ type: 'sync', data: { id: '1', n: 0 } }, { id: '1', timestamp: 10 }))
  server.say(change('update', { id: '1', n: 1 }, { timestamp: 11 }))
  server.say(change('update', { id: '1', n: 2 }, { timestamp: 11 }))
  server.say(change('update', { id: '1', n: 9 }, { timestamp: 10 }))
  server.say(change('update', { id: '2', n: 3 }, { timestamp: 12 }))
  server.say(change('update', { id: '1', n: 4 }, { timestamp: 12, groupId: 'other' }))
  server.say(message({ type: 'sync', data: [{ id: '1', n: 5 }] }, { timestamp: 13 }))
  server.say(change('delete', { id: '1' }, { timestamp: 14 }))
  server.say(message({ type: 'sync', data: null }, { id: '1', timestamp: 15 }))
  assert.deepEqual(
    seen.map((state) => state?.n ?? null),
    [0, 1, 2, null, null],
  )
})

test('the event that 0.17 sends before a change does not hide it', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const item = stream.subscribeItem('s', 'g', '1')
  const events = []
  item.onEvent('update', (data) => events.push(data.n))
  server.say(message({ type: 'sync', data: { id: '1', n: 0 } }, { id: '1', timestamp: 10 }))
  const data = { id: '1', n: 1 }
  server.say(message({ type: 'event', event: { type: 'update', data } }, { id: '1', timestamp: 11 }))
  server.say(change('update', data, { timestamp: 11 }))
  assert.deepEqual([item.getState(), events], [data, [1]])
})

test('what comes once for the group and once for the item is one change', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const subscriptions = [stream.subscribeGroup('s', 'g'), stream.subscribeItem('s', 'g', '1')]
  const seen = subscriptions.map(watch)
  for (const n of [1, 2]) {
    const update = change(n === 1 ? 'create' : 'update', { id: '1', n }, { timestamp: 9000 })
    for (const each of [update, update]) server.say(each)
  }
  assert.deepEqual(
    seen.map((states) => states.flat().map((item) => item.n)),
    [
      [1, 2],
      [1, 2],
    ],
  )
})

test('an item hears all events of a millisecond, each once', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const heard = []
  for (const each of [stream.subscribeGroup('s', 'g'), stream.subscribeItem('s', 'g', '1')])
    each.onEvent('note', (data) => heard.push(`${each.sub.id ?? 'group'} ${data}`))
  for (const data of [1, 2]) {
    const note = message({ type: 'event', event: { type: 'note', data } }, { id: '1', timestamp: 9000 })
    for (const each of [note, note]) server.say(each)
  }
  assert.deepEqual(
    heard,
    ['group 1', 'item 1', 'group 2', 'item 2'].map((text) => text.replace('item', '1')),
  )
})

test('events go to who watches the item, and to its group as with 0.x', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const heard = []
  const listener = (data) => heard.push(data)
  const [group, item] = [stream.subscribeGroup('s', 'g'), stream.subscribeItem('s', 'g', '1')]
  group.onEvent('note', (data) => listener(`group ${data}`))
  item.onEvent('note', listener)
  const note = (data, more) => server.say(message({ type: 'event', event: { type: 'note', data } }, more))
  note('a')
  note('b', { id: '1' })
  item.offEvent('note', listener)
  note('c', { id: '1' })
  assert.deepEqual(heard, ['group a', 'group b', 'b', 'group c'])
})

test('who reads the state sees the same objects where nothing changed', (t) => {
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  server.say(message({ type: 'sync', data: [{ id: '1' }, { id: '2', n: 1 }] }))
  const before = group.getState()
  server.say(message({ type: 'sync', data: [{ id: '1' }, { id: '2', n: 1 }] }))
  assert.equal(group.getState(), before)
  server.say(message({ type: 'sync', data: [{ id: '1' }, { id: '2', n: 2 }] }))
  assert.notEqual(group.getState(), before)
  assert.equal(group.getState()[0], before[0])
  const item = stream.subscribeItem('s', 'g', '1')
  const states = watch(item)
  for (const n of [1, 1, 2]) server.say(message({ type: 'sync', data: { id: '1', n } }, { id: '1' }))
  assert.equal(states[0], states[1])
  assert.deepEqual(item.getState(), { id: '1', n: 2 })
})

test('listeners that throw cost nobody anything, and closing ends them all', (t) => {
  t.mock.method(console, 'error', () => {})
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  const twice = () => heard.push('twice')
  const heard = []
  group.addChangeListener(() => {
    throw new Error('mine')
  })
  group.addChangeListener(twice)
  group.addChangeListener(twice)
  group.onClose(() => heard.push('closed'))
  server.say(message({ type: 'sync', data: [] }))
  group.removeChangeListener(twice)
  server.say(message({ type: 'sync', data: [] }))
  group.close()
  server.say(message({ type: 'sync', data: [{ id: '1' }] }))
  assert.deepEqual(heard, ['twice', 'closed'])
  assert.deepEqual(group.getState(), [])
  assert.equal(console.error.mock.callCount(), 2)
})

test('a later connection of a server without history has missed something, for all it knows', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  let gaps = 0
  group.onGap(() => gaps++)
  const sync = () => server.say(message({ type: 'sync', data: [] }))
  sync()
  sync()
  assert.equal(gaps, 0)
  server.lose()
  t.mock.timers.tick(500)
  server.open()
  sync()
  sync()
  assert.equal(gaps, 1)
})

test('what is no message is passed over', (t) => {
  t.mock.method(console, 'error', () => {})
  const { server, stream } = connect(t, { plain: true })
  const group = stream.subscribeGroup('s', 'g')
  const say = (text) => server.sockets[0].hears.message(text)
  for (const text of ['', 'no json', 'null', '7', '[]', '{}', '[[1]]', '{"event":null}', '{"type":"hello"}']) say(text)
  server.say(message({ type: 'event' }))
  server.say(message({ type: 'sync', data: null }))
  server.say(message({ type: 'sync', data: [{ id: '1' }] }))
  assert.equal(ids(group.getState()), '1')
})
