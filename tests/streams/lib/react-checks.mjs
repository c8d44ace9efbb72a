// What a React front end of 0.x relies on: the provider and the hooks, seen in the page.
import { createElement as h, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createServerSide, eventually, expect, RETRY_LIMIT, runChecks, Skipped, same } from './harness.mjs'

/** `client` is what `@motiadev/stream-client-react` exports. */
export function run({ client, features, env }) {
  const open = []
  const context = {
    ...createServerSide(env),
    env,
    features,
    client,
    mount: (props, options) => mount(client, env, open, props, options),
    async proxy() {
      const proxy = await env.proxy()
      open.push(() => proxy.close())
      return proxy
    },
    async cleanUp() {
      for (const close of open.splice(0).reverse()) await close()
    },
  }
  return runChecks(CHECKS, context, env)
}

// ------------------------------------------------------------------------------------------------------------- the page

/** A group as a page shows it. `seen` takes what reached its listener; the hooks are those of the version under test. */
function Group({ of, seen, hooks }) {
  const { data, event } = hooks.useStreamGroup(of)
  hooks.useStreamEventHandler({ event, type: 'note', listener: seen.groupNote }, [])
  const lines = (data ?? []).map((item) => h('li', { key: item.id }, `${item.id}${item.n}`))
  return h('ul', null, lines)
}

function Item({ of, seen, hooks }) {
  const { data, event } = hooks.useStreamItem(of)
  hooks.useStreamEventHandler({ event, type: 'note', listener: seen.itemNote }, [])
  hooks.useStreamEventHandler({ event, type: 'error', listener: seen.itemError }, [])
  return h('p', null, data ? `${data.id}${data.n}` : '-')
}

async function mount(client, env, open, props, { url = env.url, strict = false, protocols } = {}) {
  const seen = { groupNotes: [], itemNotes: [], errors: [] }
  seen.groupNote = (data) => seen.groupNotes.push(data)
  seen.itemNote = (data) => seen.itemNotes.push(data)
  seen.itemError = (data) => seen.errors.push(data)

  const container = document.createElement('div')
  document.body.append(container)
  const root = createRoot(container)
  const render = ({ groups = [], items = [] }) => {
    const inner = [
      ...groups.map((of, index) => h(Group, { key: `g${index}`, of, seen, hooks: client })),
      ...items.map((of, index) => h(Item, { key: `i${index}`, of, seen, hooks: client })),
    ]
    const page = h(client.MotiaStreamProvider, { address: url, ...(protocols ? { protocols } : {}) }, ...inner)
    root.render(strict ? h(StrictMode, null, page) : page)
  }
  open.push(() => {
    root.unmount()
    container.remove()
  })
  render(props)
  return {
    seen,
    render,
    lists: () =>
      [...container.querySelectorAll('ul')].map((list) =>
        [...list.children].map(({ textContent }) => textContent).join(' '),
      ),
    items: () => [...container.querySelectorAll('p')].map(({ textContent }) => textContent),
  }
}

const board = (groupId, more = {}) => ({ streamName: 'board', groupId, ...more })

async function shows(page, lists, items) {
  const expected = JSON.stringify([lists, items])
  const actual = () => JSON.stringify([page.lists(), page.items()])
  try {
    await eventually(() => actual() === expected, expected)
  } catch (error) {
    throw new Error(`${error.message}; the page shows ${actual()}`)
  }
}

// --------------------------------------------------------------------------------------------------------------- checks

const CHECKS = [
  ['useStreamGroup', useStreamGroup],
  ['useStreamGroup-sort-key', sortKey],
  ['useStreamGroup-setData', setData, { when: (c) => c.features.setData }],
  ['useStreamItem', useStreamItem],
  ['useStreamEventHandler', useStreamEventHandler],
  ['useStreamEventHandler-denied', denied],
  ['hooks-without-arguments', withoutArguments],
  ['hooks-change-arguments', changeArguments],
  ['two-components', twoComponents],
  ['unmount', unmount],
  ['strict-mode', strictMode],
  ['burst', burst],
  ['protocols', protocols, { when: (c) => c.features.protocols }],
  ['reconnect', reconnect],
  ['restart', restart, { last: true }],
]

async function useStreamGroup(c) {
  const group = c.newGroup()
  await c.set(group, 'a', { n: 1 })
  const page = await c.mount({ groups: [board(group)] })
  await shows(page, ['a1'], [])
  await c.set(group, 'b', { n: 1 })
  await shows(page, ['a1 b1'], [])
  await c.set(group, 'a', { n: 2 })
  await shows(page, ['a2 b1'], [])
  await c.remove(group, 'a')
  await shows(page, ['b1'], [])
}

async function sortKey(c) {
  const group = c.newGroup()
  await c.set(group, 'c', { n: 3, name: 'z' })
  await c.set(group, 'a', { n: 1, name: 'y' })
  const page = await c.mount({ groups: [board(group, { sortKey: 'name' })] })
  await shows(page, ['a1 c3'], [])
  await c.set(group, 'x', { n: 0, name: 'a' })
  await shows(page, ['x0 a1 c3'], [])
}

async function setData(c) {
  const group = c.newGroup()
  const calls = []
  const page = await c.mount({ groups: [board(group, { setData: (data) => calls.push(data.length) })] })
  await eventually(() => calls.length > 0, 'the call for the sync of an empty group')
  await c.set(group, 'a', { n: 1 })
  await shows(page, ['a1'], [])
  same(calls, [0, 1], 'the lengths that it was called with')
}

async function useStreamItem(c) {
  const group = c.newGroup()
  const page = await c.mount({ items: [board(group, { id: 'o1' })] })
  await shows(page, [], ['-'])
  await c.set(group, 'o1', { n: 1 })
  await shows(page, [], ['o11'])
  await c.set(group, 'o1', { n: 2 })
  await shows(page, [], ['o12'])
  await c.remove(group, 'o1')
  await shows(page, [], ['-'])
  await c.set(group, 'o1', { n: 3 })
  await shows(page, [], ['o13'])
}

/** Until the listeners are there: they are attached in an effect, some time after the page shows the data. */
async function listening(c, page, group, id) {
  const { groupNotes, itemNotes } = page.seen
  const notes = id === undefined ? groupNotes : itemNotes
  await eventually(
    async () => {
      await c.send(group, id, { type: 'note', data: 'probe' })
      await c.quiet()
      return notes.length > 0
    },
    `an event of the ${id === undefined ? 'group' : 'item'}`,
  )
  await c.quiet()
  groupNotes.length = 0
  itemNotes.length = 0
}

async function useStreamEventHandler(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const page = await c.mount({ groups: [board(group)], items: [board(group, { id: 'o1' })] })
  await shows(page, ['o11'], ['o11'])
  await listening(c, page, group)
  await listening(c, page, group, 'o1')
  await c.send(group, undefined, { type: 'note', data: 'group' })
  await c.send(group, 'o1', { type: 'note', data: 'item' })
  const { groupNotes, itemNotes } = page.seen
  await eventually(() => itemNotes.length > 0 && groupNotes.length > 0, 'the events')
  await c.quiet()
  const ofGroup = groupNotes.filter((note) => note === 'group')
  same([itemNotes, ofGroup], [['item'], ['group']], 'the events at the item and at the group')
  expect(groupNotes.length <= 2, `the group had ${groupNotes.length} events`)

  const empty = c.newGroup()
  await listening(c, await c.mount({ groups: [board(empty)] }), empty)
}

/**
 * The listener is attached in an effect after the join was sent: a server that answers at once may be too early for it.
 * At the next connection it is there.
 */
async function denied(c) {
  const proxy = await c.proxy()
  const page = await c.mount({ items: [{ streamName: 'locked', groupId: c.newGroup(), id: 'o1' }] }, { url: proxy.url })
  await c.quiet()
  await c.quiet()
  const atOnce = page.seen.errors.length > 0
  if (!atOnce) {
    await proxy.cut()
    await eventually(() => page.seen.errors.length > 0, 'the error event', RETRY_LIMIT)
  }
  same(page.seen.errors, [{ code: 'STREAM_ACCESS_DENIED', message: 'Access denied' }], 'the error events')
  same(page.items(), ['-'], 'what the page shows')
  return atOnce
    ? 'at the first join'
    : 'only at the second connection: the first answer came before the listener was there'
}

async function withoutArguments(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const page = await c.mount({ groups: [undefined], items: [undefined] })
  await shows(page, [''], ['-'])
  page.render({ groups: [board(group)], items: [board(group, { id: 'o1' })] })
  await shows(page, ['o11'], ['o11'])
}

async function changeArguments(c) {
  const [one, two] = [c.newGroup(), c.newGroup()]
  await c.set(one, 'o1', { n: 1 })
  await c.set(two, 'o1', { n: 2 })
  const page = await c.mount({ groups: [board(one)], items: [board(one, { id: 'o1' })] })
  await shows(page, ['o11'], ['o11'])
  page.render({ groups: [board(two)], items: [board(two, { id: 'o1' })] })
  await shows(page, ['o12'], ['o12'])
  await c.set(one, 'o1', { n: 3 })
  await c.quiet()
  await shows(page, ['o12'], ['o12'])
  page.render({ groups: [board(one)], items: [board(one, { id: 'missing' })] })
  await shows(page, ['o13'], ['-'])
}

/** Two components with the same group and item, of which one goes. */
async function twoComponents(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const [whole, item] = [board(group), board(group, { id: 'o1' })]
  const page = await c.mount({ groups: [whole, whole], items: [item, item] })
  await shows(page, ['o11', 'o11'], ['o11', 'o11'])
  page.render({ groups: [whole], items: [item] })
  await shows(page, ['o11'], ['o11'])
  await c.quiet()
  await c.set(group, 'o1', { n: 2 })
  await shows(page, ['o12'], ['o12'])
}

async function unmount(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const proxy = await c.proxy()
  const page = await c.mount({ groups: [board(group)], items: [board(group, { id: 'o1' })] }, { url: proxy.url })
  await shows(page, ['o11'], ['o11'])
  page.render({})
  await shows(page, [], [])
  await c.quiet()
  const before = await proxy.received()
  await c.set(group, 'o1', { n: 2 })
  await c.quiet()
  const after = (await proxy.received()) - before
  expect(after === 0, `${after} bytes still came over the wire`)
}

async function strictMode(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 })
  const page = await c.mount({ groups: [board(group)], items: [board(group, { id: 'o1' })] }, { strict: true })
  await shows(page, ['o11'], ['o11'])
  await c.set(group, 'o1', { n: 2 })
  await shows(page, ['o12'], ['o12'])
  await listening(c, page, group)
  await c.send(group, undefined, { type: 'note', data: 'group' })
  await eventually(() => page.seen.groupNotes.length > 0, 'the event')
  await c.quiet()
  same(page.seen.groupNotes, ['group'], 'the events')
}

async function burst(c) {
  const group = c.newGroup()
  const page = await c.mount({ groups: [board(group)], items: [board(group, { id: 'fast' })] })
  await shows(page, [''], ['-'])
  await c.quiet()
  await c.burst(group, 'fast', 200)
  await shows(page, ['fast199'], ['fast199'])
}

async function protocols(c) {
  const group = c.newGroup()
  await c.set(group, 'o1', { n: 1 }, 'members')
  const members = { streamName: 'members', groupId: group }
  const page = await c.mount({ groups: [members] }, { protocols: ['token.ann'] })
  await shows(page, ['o11'], [])
}

async function changedAway(c, group, page, away) {
  await away()
  await c.set(group, 'a', { n: 9 })
  await c.remove(group, 'b')
  await c.set(group, 'c', { n: 1 })
  await eventually(() => page.lists()[0] === 'c1 a9' || page.lists()[0] === 'a9 c1', 'the truth', RETRY_LIMIT)
  await shows(page, page.lists(), ['a9', '-'])
  await c.set(group, 'c', { n: 2 })
  await eventually(() => page.lists()[0].includes('c2'), 'a change after it')
}

async function watching(c, url) {
  const group = c.newGroup()
  await c.set(group, 'a', { n: 1, _createdAt: 1000 })
  await c.set(group, 'b', { n: 1, _createdAt: 2000 })
  const items = ['a', 'b'].map((id) => board(group, { id }))
  const page = await c.mount({ groups: [board(group)], items }, { url })
  await shows(page, ['a1 b1'], ['a1', 'b1'])
  for (const id of ['a', 'b']) await c.set(group, id, { n: 2 })
  await shows(page, ['a2 b2'], ['a2', 'b2'])
  return { group, page }
}

async function reconnect(c) {
  const proxy = await c.proxy()
  const { group, page } = await watching(c, proxy.url)
  await changedAway(c, group, page, () => proxy.cut())
}

async function restart(c) {
  if (!c.env.restarts) throw new Skipped('skipped: without --restart')
  const { group, page } = await watching(c)
  await changedAway(c, group, page, async () => expect(await c.env.restart(), 'nobody said that the server is back'))
}
