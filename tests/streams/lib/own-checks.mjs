// What only our clients promise: whatever the network does, the state is right, and what was missed is said to be. And
// presence.
import { eventually, expect, RETRY_LIMIT, Skipped, same, sleep } from './harness.mjs'

const UPDATES = 1000
const CUTS = 50
const ITEMS = 7
const SOON = { retry: { first: 10, most: 100 } }
/** Within a check nobody waits for it. */
const LATE = { retry: { first: 600_000, most: 600_000 } }
/** How long a ping may be unanswered once a client has reason to ask, and some time to come back. */
const PONG_LIMIT = 12_000

const own = (c) => c.features.own
const knowsHello = (c) => own(c) && c.env.hello

export const ownChecks = [
  ['chaos', chaos, { when: own }],
  ['presence', presence, { when: own }],
  ['pongs', pongs, { when: knowsHello }],
  ['offline', offline, { when: (c) => own(c) && c.env.setOffline }],
]

/** What a subscription of ours missed, as text: nothing, where the server answers hello. */
export function misses(c, subscription) {
  const missed = []
  if (knowsHello(c)) subscription.onGap(() => missed.push('a gap'))
  return () => missed
}

// ---------------------------------------------------------------------------------------------------------------- chaos

/**
 * Where nothing is said to have been missed, every change must have been seen, once and in order: by a group, an item of
 * it, and groups that join later, all over one connection.
 */
async function chaos(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const stream = c.connect(proxy.url, SOON)
  const groups = [watchGroup(stream, group, 0)]
  const item = stream.subscribeItem('board', group, 'i0')
  const ofItem = []
  let itemGaps = 0
  item.addChangeListener((state) => ofItem.push(state?.n ?? null))
  item.onGap(() => itemGaps++)
  // A server of 0.x says nothing of an item that is not there.
  await eventually(() => groups[0].synced && (ofItem.length > 0 || !c.env.hello), 'the first answers')

  const done = []
  const every = UPDATES / CUTS
  let cutAt = 0
  for (let n = 0; n < UPDATES; n += 1) {
    if (n % every === 0) cutAt = n + Math.floor(Math.random() * every)
    if (n === 300 || n === 600) groups.push(watchGroup(stream, group, n))
    const id = `i${Math.floor(Math.random() * ITEMS)}`
    const removing = n % 13 === 12 && lastOf(done, id) !== undefined
    if (removing) await c.remove(group, id)
    else await c.set(group, id, { n })
    done.push(removing ? { id } : { id, n })
    if (n !== cutAt) continue
    await eventually(async () => (await proxy.cut()) > 0, 'a connection to cut', RETRY_LIMIT)
  }
  await c.set(group, 'end', { n: UPDATES })
  done.push({ id: 'end', n: UPDATES })
  for (const { whole } of groups)
    await eventually(() => whole.getState().some(({ id }) => id === 'end'), 'the last item', RETRY_LIMIT)
  await eventually(() => item.getState()?.n === lastOf(done, 'i0'), 'the last state of the item')
  await c.quiet()

  const stored = byId(await c.stored(group))
  for (const { whole } of groups) same(byId(whole.getState()), stored, 'the items')
  const gaps = groups.reduce((sum, each) => sum + each.gaps, itemGaps)
  expect(gaps === 0 || !c.env.hello, `there were ${gaps} gaps`)
  if (gaps > 0) return `${gaps} gaps`
  for (const { seen, from } of groups) {
    // What happened while one joined late is in its sync.
    const least = from === 0 ? done.length : (done.length - from) / 2
    expect(seen.length >= least, `only ${seen.length} changes were seen`)
    const expected = done.slice(-seen.length).map(({ id, n }) => `${id}:${n}`)
    same(seen.join(' '), expected.join(' '), 'the changes of the group')
  }
  same(
    ofItem.slice(1),
    done.filter(({ id }) => id === 'i0').map(({ n }) => n ?? null),
    'the changes of the item',
  )
  return `no gap; ${groups.map(({ seen }) => seen.length).join(', ')} changes seen`
}

const lastOf = (done, id) => done.findLast((each) => each.id === id)?.n
const byId = (items) => Object.fromEntries(items.map((each) => [each.id, each]))

/** A group that is watched from the change `from` on. */
function watchGroup(stream, group, from) {
  const watching = { whole: stream.subscribeGroup('board', group), from, synced: false, seen: [], gaps: 0 }
  let before
  watching.whole.onGap(() => {
    watching.gaps += 1
  })
  watching.whole.addChangeListener((state) => {
    if (before) watching.seen.push(...changes(before, state))
    before = state
    watching.synced = true
  })
  return watching
}

/** As `id:n`; `n` is undefined where the item went. */
function changes(before, after) {
  const set = after.filter((each) => !before.includes(each)).map(({ id, n }) => `${id}:${n}`)
  const gone = before.filter(({ id }) => !after.some((each) => each.id === id)).map(({ id }) => `${id}:undefined`)
  return [...set, ...gone]
}

// ------------------------------------------------------------------------------------------------------------- presence

/** Who is there, over a break too. Left out with a server that does not tell. */
async function presence(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const streams = [c.connect(proxy.url, SOON), c.connect()]
  const enter = (stream, name) => stream.subscribeGroup('board', group, undefined, { presence: { name } })
  const [ann, bob] = [enter(streams[0], 'ann'), enter(streams[1], 'bob')]
  const item = streams[0].subscribeItem('board', group, 'o1', { presence: 'at the item' })
  const names = ({ presence }) =>
    presence
      .map(({ info }) => info.name)
      .sort()
      .join(' ')
  await new Promise((resolve) => ann.addChangeListener(resolve))
  await c.quiet()
  if (ann.presence.length === 0 && !c.env.hello) throw new Skipped('the server tells nothing of presence')
  await eventually(() => [ann, bob].every((each) => names(each) === 'ann bob'), 'both at both')
  same(
    item.presence.map(({ info }) => info),
    ['at the item'],
    'who is at the item',
  )
  const eve = enter(streams[0], 'eve')
  await eventually(() => [ann, bob, eve].every((each) => names(each) === 'ann bob eve'), 'a second one at a connection')
  eve.close()
  await eventually(() => [ann, bob].every((each) => names(each) === 'ann bob'), 'that the second one is gone')
  await proxy.cut()
  await c.quiet()
  await eventually(() => [ann, bob].every((each) => names(each) === 'ann bob'), 'both at both again', RETRY_LIMIT)
  bob.close()
  await eventually(() => names(ann) === 'ann', 'that bob is gone')
}

// -------------------------------------------------------------------------------------------------- connections that die

/** A live connection stays when it is asked, one that died without a word is left for another. */
async function pongs(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const stream = c.connect(proxy.url, SOON)
  const whole = stream.subscribeGroup('board', group)
  const states = [stream.state]
  stream.onStateChange((state) => states.push(state))
  await eventually(() => stream.state === 'open', 'a connection')
  await c.quiet()
  stream.wake()
  await sleep(6000)
  same(states, ['connecting', 'open'], 'the states of a connection that lives')
  await proxy.stall()
  await c.set(group, 'o1', { n: 1 })
  await c.quiet()
  same(whole.getState(), [], 'what came through')
  stream.wake()
  await eventually(() => whole.getState().length === 1, 'the change', PONG_LIMIT)
  same(states, ['connecting', 'open', 'reconnecting', 'open'], 'the states')
}

/** A page that is online again does not wait for the next retry. */
async function offline(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const stream = c.connect(proxy.url, LATE)
  const whole = stream.subscribeGroup('board', group)
  await eventually(() => stream.state === 'open', 'a connection')
  await c.env.setOffline(true)
  await proxy.cut()
  await eventually(() => stream.state === 'reconnecting', 'the break')
  await c.set(group, 'o1', { n: 1 })
  await c.quiet()
  await c.env.setOffline(false)
  await eventually(() => whole.getState().length === 1, 'the change')
}
