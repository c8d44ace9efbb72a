// What a server that answers our hello makes possible: batches, offsets, resume, gaps.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { change, connect, message, watch } from './support/fake.mjs'

/** Longer than a second retry takes, at the middle of what it may. */
const RETRY = 2000

/** A group and an item of it that are in sync at offset 10, and all that they show afterwards. */
function inSync(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  t.mock.method(Math, 'random', () => 0.5)
  const { server, stream } = connect(t)
  const [group, item] = [stream.subscribeGroup('s', 'g'), stream.subscribeItem('s', 'g', '1')]
  sync(server, group, [{ id: '1', n: 0 }], { offset: 10, epoch: 'e1' })
  sync(server, item, { id: '1', n: 0 }, { offset: 10, epoch: 'e1' })
  const gaps = []
  group.onGap(() => gaps.push('group'))
  item.onGap(() => gaps.push('item'))
  const seen = watch(group)
  const back = () => {
    server.lose()
    t.mock.timers.tick(RETRY)
    server.greet()
  }
  return { server, stream, group, item, gaps, back, shown: () => seen.map(text).join(' | ') }
}

const text = (items) => items.map(({ id, n }) => `${id}:${n}`).join(' ')
const named = ({ sub }) => ({ subscriptionId: sub.subscriptionId, ...(sub.id && { id: sub.id }) })
const sync = (server, subscription, data, { gap, ...more }) =>
  server.say(message({ type: 'sync', data, gap }, { ...named(subscription), ...more }))
const resumed = (server, subscription, offset) =>
  server.say(message({ type: 'resumed' }, { ...named(subscription), offset }))
/** What one subscription missed: its own answer. */
const missed = (subscription, ...changes) =>
  changes.map((each) => ({ ...each, subscriptionId: subscription.sub.subscriptionId }))
const update = (id, n, offset) => change('update', { id, n }, { offset })
const create = (id, n, offset) => change('create', { id, n }, { offset })
const joins = (server) => server.sent('join').map(({ data: { id, offset, epoch } }) => [id ?? 'group', offset, epoch])

test('joins say how far they have come, an item as far as any of its group', (t) => {
  const { server, stream, back } = inSync(t)
  server.say(create('2', 1, 14))
  stream.subscribeItem('s', 'g', 'new')
  back()
  assert.deepEqual(joins(server), [
    ['group', 14, 'e1'],
    ['1', 14, 'e1'],
    ['new', undefined, undefined],
  ])
  assert.deepEqual(server.sockets[1].sent[0], { type: 'hello', data: { protocol: 1 } })
})

test('what was missed is applied in order, and nothing jumps', (t) => {
  const { server, group, item, gaps, back, shown } = inSync(t)
  back()
  server.say(missed(group, update('1', 1, 11), create('2', 0, 13), update('1', 2, 14)))
  resumed(server, group, 20)
  server.say(missed(item, update('1', 1, 11), update('1', 2, 14)))
  resumed(server, item, 20)
  server.say(update('1', 3, 21))
  assert.equal(shown(), '1:1 | 1:1 2:0 | 1:2 2:0 | 1:3 2:0')
  assert.deepEqual([item.getState().n, gaps], [3, []])
  back()
  assert.deepEqual(joins(server)[0], ['group', 21, 'e1'])
})

test('what comes for others before an answer waits for its turn', (t) => {
  const { server, group, item, back, shown } = inSync(t)
  const [states, other] = [watch(item), create('2', 0, 12)]
  back()
  // The item is resumed first, and told of a change that happens then. The group missed what was before it.
  server.say(missed(item, update('1', 1, 11)))
  resumed(server, item, 12)
  server.say(update('1', 2, 15))
  assert.deepEqual([shown(), states.map(({ n }) => n)], ['', [1, 2]])
  server.say(missed(group, update('1', 1, 11), other, update('1', 2, 15)))
  resumed(server, group, 15)
  assert.equal(shown(), '1:1 | 1:1 2:0 | 1:2 2:0')
  assert.deepEqual(
    states.map(({ n }) => n),
    [1, 2],
  )
})

test('what another subscription of the same group missed is its own, and changes nothing of how far this one has come', (t) => {
  const { server, stream, shown, back } = inSync(t)
  const second = stream.subscribeGroup('s', 'g')
  sync(server, second, [{ id: '1', n: 0 }], { offset: 10, epoch: 'e1' })
  const seen = watch(second)
  back()
  server.say(missed(second, update('1', 1, 11), update('1', 2, 12)))
  resumed(server, second, 12)
  assert.equal(shown(), '')
  server.say([create('2', 0, 13)])
  assert.equal(shown(), '', 'its own answer is still to come')
  const [group] = server.sent('join')
  const named = (each) => ({ ...each, subscriptionId: group.data.subscriptionId })
  server.say([update('1', 1, 11), update('1', 2, 12), create('2', 0, 13)].map(named))
  server.say(named(message({ type: 'resumed' }, { offset: 13 })))
  const all = '1:1 | 1:2 | 1:2 2:0'
  assert.deepEqual([shown(), seen.map(text).join(' | ')], [all, all])
})

test('a foreign answer that is ahead of what happens does not hide it', (t) => {
  const { server, stream, shown } = inSync(t)
  const late = stream.subscribeGroup('s', 'g')
  server.say(missed(late, update('1', 1, 11)))
  server.say(update('1', 1, 11))
  assert.equal(shown(), '1:1')
})

test('a connection that is lost before the answer has taken nothing', (t) => {
  const { server, group, back, shown } = inSync(t)
  back()
  server.say(missed(group, update('1', 1, 11), update('1', 2, 12)))
  back()
  assert.deepEqual(joins(server)[0], ['group', 10, 'e1'])
  server.say(missed(group, update('1', 1, 11), update('1', 2, 12), update('1', 3, 13)))
  resumed(server, group, 13)
  assert.equal(shown(), '1:1 | 1:2 | 1:3')
})

test('what waited for an answer does not wait for that of another connection', (t) => {
  const { server, group, back, shown } = inSync(t)
  back()
  server.say(update('1', 1, 11))
  back()
  sync(server, group, [{ id: '1', n: 0 }], { offset: 5, epoch: 'e2', gap: true })
  assert.equal(shown(), '1:0')
})

test('a change that is older than the sync is in it, one that is newer is applied', (t) => {
  const { server, stream } = inSync(t)
  const late = stream.subscribeGroup('s', 'g')
  server.say([update('1', 1, 11), update('1', 2, 13)])
  assert.deepEqual(late.getState(), [])
  sync(server, late, [{ id: '1', n: 1 }], { offset: 12, epoch: 'e1' })
  assert.equal(text(late.getState()), '1:2')
  server.say(update('1', 2, 13))
  assert.equal(text(late.getState()), '1:2')
})

test('the sync of one subscription is none of another', (t) => {
  const { server, stream, shown } = inSync(t)
  sync(server, stream.subscribeGroup('s', 'g'), [], { offset: 12, epoch: 'e1' })
  assert.equal(shown(), '')
})

test('where the history does not reach back, the gap is told and the epoch of the sync counts', (t) => {
  const { server, group, item, gaps, back, shown } = inSync(t)
  server.lose()
  t.mock.timers.tick(RETRY)
  server.greet('e2')
  assert.deepEqual(joins(server)[0], ['group', 10, 'e1'])
  sync(server, group, [{ id: '3', n: 1 }], { offset: 5, epoch: 'e2', gap: true })
  sync(server, item, null, { offset: 5, epoch: 'e2', gap: true })
  server.say(update('3', 2, 6))
  assert.deepEqual([shown(), item.getState(), gaps], ['3:1 | 3:2', null, ['group', 'item']])
  back()
  assert.deepEqual(joins(server), [
    ['group', 6, 'e2'],
    ['1', 6, 'e2'],
  ])
})

test('a server that knows no hello any more begins anew', (t) => {
  const { server, group, item, gaps, shown, stream } = inSync(t)
  server.lose()
  t.mock.timers.tick(RETRY)
  server.open()
  server.say(message({ type: 'sync', data: [{ id: '1', n: 9 }] }, { timestamp: 1 }))
  server.say(message({ type: 'sync', data: { id: '1', n: 9 } }, { timestamp: 1, id: '1' }))
  server.say(change('update', { id: '1', n: 10 }, { timestamp: 2 }))
  assert.deepEqual([shown(), item.getState().n, gaps], ['1:9 | 1:10', 10, ['group', 'item']])
  const heard = []
  group.onEvent('note', (data) => heard.push(data))
  server.say(message({ type: 'event', event: { type: 'note', data: 'to the item' } }, { id: '1' }))
  assert.deepEqual(heard, ['to the item'])
  server.lose()
  t.mock.timers.tick(RETRY)
  server.greet()
  assert.deepEqual(joins(server)[0], ['group', undefined, undefined])
  assert.equal(stream.state, 'open')
})

test('an error that answers a join is for that subscription, which hears nothing more', (t) => {
  const { server, group, item, back, shown } = inSync(t)
  const errors = []
  for (const each of [group, item]) each.onEvent('error', ({ code }) => errors.push([each.sub.id, code]))
  back()
  const event = { type: 'error', data: { code: 'STREAM_ACCESS_DENIED', message: 'Access denied' } }
  server.say(message({ type: 'event', event }, named(group)))
  resumed(server, item, 10)
  server.say(update('1', 1, 11))
  assert.deepEqual([errors, shown(), item.getState().n], [[[undefined, 'STREAM_ACCESS_DENIED']], '', 1])
  back()
  assert.deepEqual(joins(server)[0], ['group', undefined, undefined])
  sync(server, group, [], { offset: 12, epoch: 'e1' })
  assert.equal(shown(), '')
  assert.deepEqual(group.getState(), [])
})

const error = (code) => ({ type: 'event', event: { type: 'error', data: { code, message: '' } } })

test('a join that could not be answered is said again, from where it was', (t) => {
  const { server, group, back, shown } = inSync(t)
  back()
  server.say(message(error('STREAM_READ_FAILED'), named(group)))
  server.say(update('1', 5, 15))
  assert.equal(shown(), '', 'what was before it is missing')
  t.mock.timers.tick(5000)
  assert.deepEqual(joins(server).slice(2), [['group', 10, 'e1']])
  server.say(missed(group, update('1', 4, 11), update('1', 5, 15)))
  resumed(server, group, 15)
  assert.equal(shown(), '1:4 | 1:5')
})

test('it is not said again at another connection, nor where it is not wanted any more', (t) => {
  const { server, group, item, back } = inSync(t)
  back()
  for (const each of [group, item]) server.say(message(error('STREAM_READ_FAILED'), named(each)))
  group.close()
  back()
  t.mock.timers.tick(10_000)
  assert.deepEqual(joins(server), [['1', 10, 'e1']])
})

test('an error after the answer ends nothing', (t) => {
  const { server, group, shown } = inSync(t)
  const codes = []
  group.onEvent('error', ({ code }) => codes.push(code))
  server.say(message(error('TOO_MANY_PRESENT'), named(group)))
  server.say(update('1', 1, 11))
  assert.deepEqual([codes, shown()], [['TOO_MANY_PRESENT'], '1:1'])
})

test('what is sent to an item is for its group too', (t) => {
  const { server, group, item } = inSync(t)
  const heard = []
  for (const each of [group, item]) each.onEvent('note', (data) => heard.push([each.sub.id ?? 'group', data]))
  server.say(message({ type: 'event', event: { type: 'note', data: 'a' } }, { id: '1' }))
  server.say(message({ type: 'event', event: { type: 'note', data: 'b' } }))
  assert.deepEqual(heard, [
    ['group', 'a'],
    ['1', 'a'],
    ['group', 'b'],
  ])
})
