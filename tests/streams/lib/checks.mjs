// What a program with a stream client of 0.x relies on, whichever its version.
import { createServerSide, eventually, expect, RETRY_LIMIT, runChecks, Skipped, same, sleep } from './harness.mjs'
import { misses, ownChecks } from './own-checks.mjs'

const BURST = 200
const MANY = 500

/** `Stream` is the client's class, called with the address and `{protocols}`. */
export function run({ Stream, features, env }) {
  const open = []
  const context = {
    ...createServerSide(env),
    env,
    features,
    connect(url = env.url, options = undefined) {
      const stream = new Stream(url, options)
      open.push(stream)
      return stream
    },
    async proxy() {
      const proxy = await env.proxy()
      open.push({ proxy })
      return proxy
    },
    // The node client throws where it is closed before it was open.
    async cleanUp() {
      for (const each of open.splice(0).reverse()) {
        if (each.proxy) await each.proxy.close()
        else if (features.own || isOpen(each)) each.close()
      }
    },
    excuse: (check, outcome, errors) => excuse(features, check, outcome, errors),
  }
  return runChecks(CHECKS, context, env)
}

const isOpen = ({ ws }) => (ws.isOpen ? ws.isOpen() : ws.readyState === 1)

/** A node client whose first retry is refused throws and never tries again: so it was, and no server can help it. */
function excuse(features, check, outcome, errors) {
  if (check !== 'restart' || !features.diesWhenRefused || outcome.ok) return {}
  if (!errors.some((error) => error.includes('ECONNREFUSED'))) return {}
  return { ok: null, detail: 'its retry after 2 s was refused: it throws and gives up, as it did with the original' }
}

/** Every state that a subscription had, from the first. */
function watch(subscription) {
  const states = []
  subscription.addChangeListener((state) => states.push(structuredClone(state)))
  return states
}

/** The events of a type that reached a subscription. */
function listen(subscription, type) {
  const events = []
  subscription.onEvent(type, (data) => events.push(data))
  return events
}

/** Messages of one socket are answered in order: what was joined before is joined now. */
async function joined(c, stream) {
  const marker = stream.subscribeGroup('board', c.newGroup())
  const states = watch(marker)
  await eventually(() => states.length > 0, 'the sync of an empty group')
  marker.close()
}

const ids = (state) => state.map(({ id }) => id)
const rises = (numbers) => numbers.every((n, index) => index === 0 || n >= numbers[index - 1])

const CHECKS = [
  ['group-sync-empty', groupSyncEmpty],
  ['group-sync-filled', groupSyncFilled],
  ['group-sync-large', groupSyncLarge],
  ['group-changes', groupChanges],
  ['group-sort-key', groupSortKey],
  ['item-sync-and-changes', itemChanges],
  ['item-of-other-group', itemOfOtherGroup],
  ['streams-apart', streamsApart],
  ['item-missing', itemMissing],
  ['delete-missing', deleteMissing],
  ['burst', burst],
  ['burst-with-events', burstWithEvents],
  ['join-during-writes', joinDuringWrites],
  ['events-group', eventsGroup],
  ['events-item', eventsItem],
  ['group-and-item', groupAndItem],
  ['second-client', secondClient],
  ['leave', leave],
  ['leave-one-of-two', leaveOneOfTwo],
  ['join-again', joinAgain],
  ['denied-group', deniedGroup],
  ['denied-item', deniedItem],
  ['unknown-stream', unknownStream],
  ['any-path', anyPath],
  ['token-in-query', tokenInQuery],
  ['subprotocol', subprotocol, { when: (c) => c.features.protocols }],
  ['token-in-subprotocol', tokenInSubprotocol, { when: (c) => c.features.protocols }],
  ['reconnect', reconnect],
  ...ownChecks,
  ['restart', restart, { last: true }],
]

// ---------------------------------------------------------------------------------------------------------------- groups

async function groupSyncEmpty(c) {
  const states = watch(c.connect().subscribeGroup('board', c.newGroup()))
  await eventually(() => states.length > 0, 'a sync')
  await c.quiet()
  same(states, [[]], 'the states')
}

async function groupSyncFilled(c) {
  const group = c.newGroup()
  await c.set(group, 'b', { n: 1, _createdAt: 1000 })
  await c.set(group, 'z', { n: 3, _createdAt: 3000 })
  await c.set(group, 'a', { n: 2, _createdAt: 2000, deep: { list: [1, null, 'é'] } })
  const states = watch(c.connect().subscribeGroup('board', group))
  await eventually(() => states.length > 0, 'a sync')
  same(ids(states[0]), ['b', 'a', 'z'], 'the order')
  same(states[0], await c.stored(group), 'the items')
  expect(!JSON.stringify(states[0]).includes('__motia'), 'the items carry __motia')
}

async function groupSyncLarge(c) {
  const states = watch(c.connect().subscribeGroup('board', 'large'))
  await eventually(() => states.length > 0, 'a sync')
  const stored = await c.stored('large')
  expect(stored.length === MANY, `there are ${stored.length} items instead of ${MANY}`)
  same(states[0], stored, 'the items')
}

async function groupChanges(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const subscription = stream.subscribeGroup('board', group)
  const states = watch(subscription)
  await joined(c, stream)
  await c.set(group, 'x', { n: 1 })
  await c.set(group, 'y', { n: 1 })
  await c.set(group, 'x', { n: 2 })
  await c.remove(group, 'y')
  await c.set(group, 'y', { n: 3 })
  await eventually(() => states.length >= 6, 'the sixth state')
  await c.quiet()
  const short = states.map((state) => state.map(({ id, n }) => `${id}${n}`).join(' '))
  same(short, ['', 'x1', 'x1 y1', 'x2 y1', 'x2', 'x2 y3'], 'the states')
  same(byId(subscription.getState()), byId(await c.stored(group)), 'the items')
}

const byId = (state) => Object.fromEntries(state.map((item) => [item.id, item]))

async function groupSortKey(c) {
  const group = c.newGroup()
  await c.set(group, '1', { name: 'c' })
  await c.set(group, '2', { name: 'a' })
  const stream = c.connect()
  const subscription = stream.subscribeGroup('board', group, 'name')
  await joined(c, stream)
  await c.set(group, '3', { name: 'b' })
  await eventually(() => subscription.getState().length === 3, 'the third item')
  same(ids(subscription.getState()), ['2', '3', '1'], 'the order')
}

async function secondClient(c) {
  const group = c.newGroup()
  const [first, second] = [c.connect(), c.connect()]
  const subscriptions = [first, second].map((stream) => stream.subscribeGroup('board', group))
  for (const stream of [first, second]) await joined(c, stream)
  for (let n = 0; n < 20; n += 1) {
    if (n % 7 === 3) await c.remove(group, `i${(n - 1) % 5}`)
    else await c.set(group, `i${n % 5}`, { n })
  }
  await c.set(group, 'end', {})
  for (const subscription of subscriptions)
    await eventually(() => ids(subscription.getState()).includes('end'), 'the last item')
  const [one, other] = subscriptions.map((subscription) => subscription.getState())
  same(one, other, 'the states of the two')
  same(byId(one), byId(await c.stored(group)), 'the items')
}

/** What is written while a client joins is either in its sync or comes after it. */
async function joinDuringWrites(c) {
  const group = c.newGroup()
  const stream = c.connect()
  await joined(c, stream)
  const writing = c.fill(group, MANY)
  const subscriptions = []
  for (let n = 0; n < 10; n += 1) {
    subscriptions.push(stream.subscribeGroup('board', group))
    await sleep(5)
    subscriptions.push(c.connect().subscribeGroup('board', group))
  }
  await writing
  const stored = byId(await c.stored(group))
  for (const [index, subscription] of subscriptions.entries()) {
    await eventually(
      () => subscription.getState().length === MANY,
      `the last of ${MANY} items at subscription ${index}`,
    )
    same(byId(subscription.getState()), stored, 'the items')
  }
}

// ----------------------------------------------------------------------------------------------------------------- items

async function itemChanges(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const stream = c.connect()
  const subscription = stream.subscribeItem('board', group, 'o1')
  const states = watch(subscription)
  await joined(c, stream)
  await c.set(group, 'o1', { n: 2 })
  await c.remove(group, 'o1')
  await c.set(group, 'o1', { n: 3 })
  await c.set(group, 'o2', { n: 9 })
  await eventually(() => states.length >= 4, 'the fourth state')
  await c.quiet()
  const short = states.map((state) => state?.n ?? null)
  same(short, [1, 2, null, 3], 'the states')
  same(subscription.getState(), byId(await c.stored(group)).o1, 'the item')
}

/** The same id in another group is another item, on one socket too. */
async function itemOfOtherGroup(c) {
  const [here, there] = [c.newGroup(), c.newGroup()]
  const proxy = await c.proxy()
  const [alone, both] = [c.connect(proxy.url), c.connect()]
  const states = watch(alone.subscribeItem('board', here, 'o1'))
  const pair = [here, there].map((group) => watch(both.subscribeItem('board', group, 'o1')))
  for (const stream of [alone, both]) await joined(c, stream)
  await c.set(here, 'o1', { n: 1 })
  await eventually(() => states.at(-1)?.n === 1, 'the item')
  const before = await proxy.received()
  await c.set(there, 'o1', { n: 2 })
  await c.send(there, 'o1', { type: 'note', data: {} })
  await eventually(() => pair[1].at(-1)?.n === 2, 'the item of the other group')
  await c.quiet()
  same([states.at(-1).n, pair[0].at(-1).n], [1, 1], 'the item after a change in the other group')
  const leaked = (await proxy.received()) - before
  expect(leaked === 0, `${leaked} bytes of the other group came over the wire`)
}

async function streamsApart(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const [board, rooms] = ['board', 'rooms'].map((name) => stream.subscribeGroup(name, group))
  await joined(c, stream)
  await c.set(group, 'o1', { in: 'board' })
  await c.set(group, 'o1', { in: 'rooms' }, 'rooms')
  await eventually(() => rooms.getState().length === 1, 'the second stream')
  await c.quiet()
  same(
    [board, rooms].map((each) => each.getState().map((item) => item.in)),
    [['board'], ['rooms']],
    'the items',
  )
}

async function itemMissing(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const subscription = stream.subscribeItem('board', group, 'later')
  const states = watch(subscription)
  await joined(c, stream)
  same(subscription.getState(), null, 'the state of a missing item')
  await c.set(group, 'later', { n: 1 })
  await c.set(group, 'later', { n: 2 })
  await eventually(() => states.at(-1)?.n === 2, 'the item')
  same(
    states.filter(Boolean).map(({ n }) => n),
    [1, 2],
    'the states',
  )
  return states[0] === null ? 'sync null' : 'no sync'
}

async function deleteMissing(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const [whole, item] = [stream.subscribeGroup('board', group), stream.subscribeItem('board', group, 'gone')]
  const states = watch(whole)
  await joined(c, stream)
  await c.remove(group, 'gone')
  await c.remove(group, 'gone')
  await c.set(group, 'gone', { n: 1 })
  await eventually(() => states.at(-1)?.length === 1, 'what came after')
  same(item.getState()?.n, 1, 'the item')
  same(
    states.map(({ length }) => length),
    [0, 1],
    'the lengths',
  )
}

// ------------------------------------------------------------------------------------------------------------- in a hurry

async function burst(c) {
  const group = c.newGroup()
  await c.set(group, 'fast', { n: -1 })
  const [first, second] = [c.connect(), c.connect()]
  const item = first.subscribeItem('board', group, 'fast')
  const whole = second.subscribeGroup('board', group)
  const seen = [watch(item), watch(whole)]
  for (const stream of [first, second]) await joined(c, stream)
  await c.burst(group, 'fast', BURST)
  const [stored] = await c.stored(group)
  same(stored.n, BURST - 1, 'what is stored')
  await eventually(() => item.getState().n === stored.n, `the last state at the item (it is ${item.getState()?.n})`)
  await eventually(() => whole.getState()[0].n === stored.n, 'the last state at the group')
  await c.quiet()
  same([item.getState(), whole.getState()], [stored, [stored]], 'the last state')
  const [ofItem, ofGroup] = [seen[0].map(({ n }) => n), seen[1].map(([{ n }]) => n)]
  expect(rises(ofItem), `the item went backwards: ${ofItem}`)
  expect(rises(ofGroup), `the group went backwards: ${ofGroup}`)
  return `${ofItem.length - 1} of ${BURST} states at the item, ${ofGroup.length - 1} at the group`
}

/** An event between two changes of the same millisecond costs neither. */
async function burstWithEvents(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const item = stream.subscribeItem('board', group, 'fast')
  const ticks = listen(item, 'tick')
  await joined(c, stream)
  await c.burst(group, 'fast', BURST, true)
  await eventually(() => item.getState()?.n === BURST - 1, `the last state (it is ${item.getState()?.n})`)
  await eventually(() => ticks.length >= BURST, `the last event (there are ${ticks.length})`, 2000)
  await c.quiet()
  same(
    ticks.map(({ n }) => n),
    [...Array(BURST).keys()],
    'the events',
  )
}

// ---------------------------------------------------------------------------------------------------------------- events

async function eventsGroup(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const subscription = stream.subscribeGroup('board', group)
  const [notes, other] = [listen(subscription, 'note'), listen(subscription, 'other')]
  await joined(c, stream)
  await c.send(group, undefined, { type: 'note', data: { text: 'hi' } })
  await c.send(group, undefined, { type: 'note', data: 'plain' })
  await c.send(c.newGroup(), undefined, { type: 'note', data: 'elsewhere' })
  await eventually(() => notes.length >= 2, 'the events')
  await c.quiet()
  same(notes, [{ text: 'hi' }, 'plain'], 'the events')
  same(other, [], 'the events of another type')
  same(subscription.getState(), [], 'the state')
}

async function eventsItem(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const stream = c.connect()
  const subscription = stream.subscribeItem('board', group, 'o1')
  const notes = []
  const listener = (data) => notes.push(data)
  subscription.onEvent('note', listener)
  await joined(c, stream)
  await c.send(group, 'o1', { type: 'note', data: 1 })
  await c.send(group, 'o1', { type: 'note', data: 2 })
  await c.send(group, 'o2', { type: 'note', data: 'of another item' })
  await c.send(group, undefined, { type: 'note', data: 'of the group' })
  await eventually(() => notes.length >= 2, 'the events')
  await c.quiet()
  same(notes, [1, 2], 'the events')
  subscription.offEvent('note', listener)
  await c.send(group, 'o1', { type: 'note', data: 3 })
  await c.set(group, 'o1', { n: 2 })
  await eventually(() => subscription.getState().n === 2, 'the change after it')
  same(notes, [1, 2], 'the events after offEvent')
}

/** A group and one of its items on one socket: nothing comes twice. */
async function groupAndItem(c) {
  const group = c.newGroup()
  const stream = c.connect()
  const [whole, item] = [stream.subscribeGroup('board', group), stream.subscribeItem('board', group, 'o1')]
  const [ofGroup, ofItem] = [watch(whole), watch(item)]
  const [groupNotes, itemNotes] = [listen(whole, 'note'), listen(item, 'note')]
  await joined(c, stream)
  await c.set(group, 'o1', { n: 1 })
  await c.set(group, 'o1', { n: 2 })
  await c.send(group, 'o1', { type: 'note', data: 'to the item' })
  await c.send(group, undefined, { type: 'note', data: 'to the group' })
  await eventually(() => groupNotes.includes('to the group'), 'the event of the group')
  await c.quiet()
  same(
    ofGroup.map((state) => state.map(({ n }) => n)),
    [[], [1], [2]],
    'the states of the group',
  )
  same(
    ofItem.filter(Boolean).map(({ n }) => n),
    [1, 2],
    'the states of the item',
  )
  same(itemNotes, ['to the item'], 'the events at the item')
  const ofItemAtGroup = groupNotes.filter((note) => note === 'to the item').length
  expect(ofItemAtGroup <= 1, `the event of the item came ${ofItemAtGroup} times to the group`)
  same(groupNotes.length - ofItemAtGroup, 1, 'how often the event of the group came')
}

// ----------------------------------------------------------------------------------------------------------------- leave

async function leave(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const stream = c.connect(proxy.url)
  const subscriptions = [stream.subscribeGroup('board', group), stream.subscribeItem('board', group, 'o1')]
  const seen = subscriptions.map(watch)
  await joined(c, stream)
  await c.set(group, 'o1', { n: 1 })
  await eventually(() => seen[1].at(-1)?.n === 1, 'the item')
  for (const subscription of subscriptions) subscription.close()
  await c.quiet()
  const before = await proxy.received()
  const lengths = seen.map(({ length }) => length)
  await c.set(group, 'o1', { n: 2 })
  await c.send(group, undefined, { type: 'note', data: {} })
  await c.send(group, 'o1', { type: 'note', data: {} })
  await c.quiet()
  same(
    seen.map(({ length }) => length),
    lengths,
    'how many states there were',
  )
  const after = (await proxy.received()) - before
  expect(after === 0, `${after} bytes still came over the wire`)
}

async function leaveOneOfTwo(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const stream = c.connect()
  const pairs = [
    [stream.subscribeGroup('board', group), stream.subscribeGroup('board', group)],
    [stream.subscribeItem('board', group, 'o1'), stream.subscribeItem('board', group, 'o1')],
  ]
  await joined(c, stream)
  for (const [first] of pairs) first.close()
  await joined(c, stream)
  await c.set(group, 'o1', { n: 2 })
  const stateOf = (subscription) => [subscription.getState()].flat()[0]?.n
  for (const [, second] of pairs) await eventually(() => stateOf(second) === 2, 'the change at the one that stayed')
  same(
    pairs.map(([first]) => stateOf(first)),
    [1, 1],
    'the ones that left',
  )
}

/** As React's strict mode does it: join, leave and join at once. */
async function joinAgain(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const stream = c.connect()
  await joined(c, stream)
  for (let n = 0; n < 3; n += 1) {
    stream.subscribeGroup('board', group).close()
    stream.subscribeItem('board', group, 'o1').close()
  }
  const [whole, item] = [stream.subscribeGroup('board', group), stream.subscribeItem('board', group, 'o1')]
  await joined(c, stream)
  same([whole.getState()[0]?.n, item.getState()?.n], [1, 1], 'the states after the sync')
  await c.set(group, 'o1', { n: 2 })
  await eventually(() => whole.getState()[0].n === 2 && item.getState().n === 2, 'the change')
}

// ---------------------------------------------------------------------------------------------------------------- access

async function denied(c, subscribe) {
  const group = c.newGroup()
  await c.set(group, 'o1', { secret: true }, 'locked')
  const stream = c.connect()
  const subscription = subscribe(stream, group)
  const [states, errors] = [watch(subscription), listen(subscription, 'error')]
  await joined(c, stream)
  await c.set(group, 'o1', { secret: 2 }, 'locked')
  await c.send(group, undefined, { type: 'error', data: 'secret' }, 'locked')
  await c.send(group, 'o1', { type: 'error', data: 'secret' }, 'locked')
  await eventually(() => errors.length > 0, 'the error event')
  await c.quiet()
  same(errors, [{ code: 'STREAM_ACCESS_DENIED', message: 'Access denied' }], 'the error events')
  same(states, [], 'the states')
}

function deniedGroup(c) {
  return denied(c, (stream, group) => stream.subscribeGroup('locked', group))
}

function deniedItem(c) {
  return denied(c, (stream, group) => stream.subscribeItem('locked', group, 'o1'))
}

async function unknownStream(c) {
  const group = c.newGroup()
  // On one socket a client hands what has an id to the group too.
  const [first, second] = [c.connect(), c.connect()]
  const errors = listen(first.subscribeGroup('nope', group), 'error')
  const ofItem = listen(second.subscribeItem('nope', group, 'o1'), 'error')
  for (const stream of [first, second]) await joined(c, stream)
  await eventually(() => errors.length >= 2 && ofItem.length >= 1, 'the error events')
  same(
    errors.map(({ message }) => message),
    ['Stream nope not found', 'Access denied'],
    'the messages',
  )
  same(ofItem[0].message, 'Stream nope not found', 'the first message at the item')
  return `${ofItem.length} at the item`
}

async function anyPath(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  for (const path of ['/some/path/', '/do', '/group/x?page=1']) {
    const subscription = c.connect(`${c.url}${path}`).subscribeGroup('board', group)
    await eventually(() => subscription.getState().length === 1, `the sync at ${path}`)
  }
}

/** Only ann may watch `members`. */
async function membersSeenBy(c, stream) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 }, 'members')
  const subscription = stream.subscribeGroup('members', group)
  const errors = listen(subscription, 'error')
  await joined(c, stream)
  return errors.length > 0 ? errors[0].code : subscription.getState().map(({ n }) => n)
}

async function tokenInQuery(c) {
  same(await membersSeenBy(c, c.connect(`${c.url}/?token=ann`)), [1], 'what ann sees')
  same(await membersSeenBy(c, c.connect()), 'STREAM_ACCESS_DENIED', 'what nobody sees')
}

/** A client closes the connection where none of its subprotocols is chosen. */
async function subprotocol(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  for (const protocols of ['chat', ['first', 'second']]) {
    const stream = c.connect(c.url, { protocols })
    const subscription = stream.subscribeGroup('board', group)
    await eventually(() => subscription.getState().length === 1, `the sync with ${protocols}`)
  }
}

async function tokenInSubprotocol(c) {
  const stream = c.connect(c.url, { protocols: ['motia', 'token.ann'] })
  same(await membersSeenBy(c, stream), [1], 'what ann sees')
}

// ------------------------------------------------------------------------------------------------------------- reconnect

async function startWatching(c, url) {
  const group = c.newGroup()
  for (const id of ['kept', 'changed', 'deleted']) await c.set(group, id, { n: 1 })
  const stream = c.connect(url)
  const subscribed = {
    whole: stream.subscribeGroup('board', group),
    changed: stream.subscribeItem('board', group, 'changed'),
    deleted: stream.subscribeItem('board', group, 'deleted'),
  }
  const notes = [listen(subscribed.whole, 'note'), listen(subscribed.changed, 'note')]
  const missed = misses(c, subscribed.whole)
  await joined(c, stream)
  // Many changes in a moment put the timestamps ahead of the clock. A sync after the break must still count.
  await c.burst(group, 'changed', 1500)
  await eventually(() => subscribed.changed.getState()?.n === 1499, 'the last change before the break')
  return { group, stream, notes, missed, ...subscribed }
}

async function changeAway(c, group) {
  await c.set(group, 'changed', { n: 5000 })
  await c.remove(group, 'deleted')
  await c.set(group, 'new', { n: 1 })
}

async function seeTheTruth(c, { group, whole, changed, deleted, notes, missed }) {
  const stored = await c.stored(group)
  await eventually(() => ids(whole.getState()).includes('new'), 'the new item at the group', RETRY_LIMIT)
  await eventually(() => changed.getState()?.n === 5000, `the changed item (it is ${changed.getState()?.n})`)
  await eventually(() => deleted.getState() === null, 'that the deleted item is gone')
  same(byId(whole.getState()), byId(stored), 'the items')
  await c.set(group, 'changed', { n: 5001 })
  await c.send(group, undefined, { type: 'note', data: 'group' })
  await c.send(group, 'changed', { type: 'note', data: 'item' })
  await eventually(() => changed.getState().n === 5001, 'a change after it')
  await eventually(() => whole.getState().some(({ n }) => n === 5001), 'a change after it at the group')
  await eventually(() => notes[1].length > 0, 'an event after it')
  await c.quiet()
  same([notes[0].filter((note) => note === 'group'), notes[1]], [['group'], ['item']], 'the events after it')
  same(missed(), [], 'what ours missed')
}

async function reconnect(c) {
  const proxy = await c.proxy()
  const watching = await startWatching(c, proxy.url)
  await proxy.cut()
  await changeAway(c, watching.group)
  await seeTheTruth(c, watching)
}

async function restart(c) {
  if (!c.env.restarts) throw new Skipped('skipped: without --restart')
  const watching = await startWatching(c)
  const back = await c.env.restart()
  expect(back, 'nobody said that the server is back')
  await changeAway(c, watching.group)
  await seeTheTruth(c, watching)
}
