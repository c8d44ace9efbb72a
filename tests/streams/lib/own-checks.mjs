// What only our clients promise: whatever the network does, the state is right, and what was missed is said to be. And
// presence.
import { eventually, RETRY_LIMIT, Skipped, same } from './harness.mjs'

const UPDATES = 1000
const CUTS = 50
const ITEMS = 7

/** Where nothing is said to have been missed, every change must have been seen, once and in order. */
export async function chaos(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const stream = c.connect(proxy.url, { retry: { first: 10, most: 100 } })
  const whole = stream.subscribeGroup('board', group)
  const item = stream.subscribeItem('board', group, 'i0')
  const seen = changesOf(whole)
  const ofItem = []
  item.addChangeListener((state) => ofItem.push(state?.n ?? null))
  let gaps = 0
  for (const each of [whole, item]) each.onGap(() => gaps++)
  await eventually(() => ofItem.length > 0, 'the first answer')

  const done = []
  const every = UPDATES / CUTS
  let cutAt = 0
  for (let n = 0; n < UPDATES; n += 1) {
    if (n % every === 0) cutAt = n + Math.floor(Math.random() * every)
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
  await eventually(() => whole.getState().some(({ id }) => id === 'end'), 'the last item', RETRY_LIMIT)
  await eventually(() => item.getState()?.n === lastOf(done, 'i0'), 'the last state of the item')
  await c.quiet()

  const byId = (items) => Object.fromEntries(items.map((each) => [each.id, each]))
  same(byId(whole.getState()), byId(await c.stored(group)), 'the items')
  if (gaps > 0) return `${gaps} gaps`
  same(seen.join(' '), done.map(({ id, n }) => `${id}:${n}`).join(' '), 'the changes of the group')
  same(
    ofItem.slice(1),
    done.filter(({ id }) => id === 'i0').map(({ n }) => n ?? null),
    'the changes of the item',
  )
  return 'no gap'
}

const lastOf = (done, id) => done.findLast((each) => each.id === id)?.n

/** Every change that a group's subscription showed, as `id:n`; `n` is undefined where the item went. */
function changesOf(subscription) {
  const seen = []
  let before = []
  subscription.addChangeListener((state) => {
    for (const each of state) if (!before.includes(each)) seen.push(`${each.id}:${each.n}`)
    for (const { id } of before) if (!state.some((each) => each.id === id)) seen.push(`${id}:undefined`)
    before = state
  })
  return seen
}

/** Who is there, over a break too. Left out with a server that does not tell. */
export async function presence(c) {
  const group = c.newGroup()
  const proxy = await c.proxy()
  const streams = [c.connect(proxy.url, { retry: { first: 10, most: 100 } }), c.connect()]
  const enter = (stream, name) => stream.subscribeGroup('board', group, undefined, { presence: { name } })
  const [ann, bob] = [enter(streams[0], 'ann'), enter(streams[1], 'bob')]
  const item = streams[0].subscribeItem('board', group, 'o1', { presence: 'at the item' })
  const names = ({ presence }) =>
    presence
      .map(({ info }) => info.name)
      .sort()
      .join(' ')
  const synced = new Promise((resolve) => ann.addChangeListener(resolve))
  await synced
  await c.quiet()
  if (ann.presence.length === 0) throw new Skipped('the server tells nothing of presence')
  await eventually(() => [ann, bob].every((each) => names(each) === 'ann bob'), 'both at both')
  same(
    item.presence.map(({ info }) => info),
    ['at the item'],
    'who is at the item',
  )
  await proxy.cut()
  await c.quiet()
  await eventually(() => [ann, bob].every((each) => names(each) === 'ann bob'), 'both at both again', RETRY_LIMIT)
  bob.close()
  await eventually(() => names(ann) === 'ann', 'that bob is gone')
}
