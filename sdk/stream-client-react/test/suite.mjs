// What the hooks do, over a WebSocket that is none. Bundled with each React.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { act, createElement as h, StrictMode, version } from 'react'
import { flushSync } from 'react-dom'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import * as client from '../index.mjs'

let sockets
let roots

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
    this.says({ type: 'hello', data: { protocol: 1, epoch: 'e' } })
  }
  says(message) {
    this.onmessage({ data: JSON.stringify(message) })
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5))
const last = () => sockets.findLast(({ readyState }) => readyState < 2)
const sent = (type) => last().sent.filter((message) => message.type === type)

/** The server says it, and React has done all that follows. */
const say = (...messages) => act(async () => last().says(messages))
const message = (event, more) => ({ timestamp: 1, streamName: 's', groupId: 'g', ...more, event })
const sync = ({ data }, items, offset = 1) =>
  message({ type: 'sync', data: items }, { id: data.id, offset, subscriptionId: data.subscriptionId })
const change = (type, data, offset) => message({ type, data }, { id: data.id, offset })

/** Renders `component` below a provider, and opens its connection. */
async function mount(component, { strict = false, open = true, ...props } = {}) {
  const container = document.createElement('div')
  const root = createRoot(container)
  roots.push(root)
  const render = async (given = component, more = {}) => {
    const page = h(client.MotiaStreamProvider, { address: 'ws://host/', ...props, ...more }, given)
    await act(async () => root.render(strict ? h(StrictMode, null, page) : page))
    await act(settled)
  }
  await render()
  if (open) await act(async () => last().opens())
  return { render, text: () => container.textContent, unmount: () => act(async () => root.unmount()) }
}

const texts = (items) => items.map(({ id, n }) => `${id}${n ?? ''}`).join(' ')

const GROUP = { streamName: 's', groupId: 'g' }

/** Shows a group; `renders` takes what each render showed. */
function Group({ of = GROUP, renders = [] }) {
  const { data } = client.useStreamGroup(of)
  renders.push(texts(data))
  return h('p', null, texts(data))
}

/** What React complains of: updates of what is not there any more among it. */
const complaints = []
console.error = (...given) => complaints.push(given.join(' '))

const setUp = () => {
  complaints.length = 0
  sockets = []
  roots = []
  globalThis.WebSocket = FakeSocket
}

const tearDown = async () => {
  for (const root of roots) await act(async () => root.unmount())
  await settled()
  assert.deepEqual(complaints, [])
}

const TESTS = {
  async 'a group is shown, and rendered only where it changed'() {
    const renders = []
    const { text } = await mount(h(Group, { renders }))
    const [join] = sent('join')
    await say(sync(join, []))
    const before = renders.length
    await say(change('create', { id: 'a', n: 1 }, 2), change('create', { id: 'b', n: 1 }, 3))
    assert.equal(text(), 'a1 b1')
    assert.equal(renders.length, before + 1, 'a batch is one render')
    await say(
      sync(
        join,
        [
          { id: 'a', n: 1 },
          { id: 'b', n: 1 },
        ],
        4,
      ),
    )
    await say(change('update', { id: 'unknown' }, 5), message({ type: 'event', event: { type: 'x', data: 1 } }))
    assert.equal(renders.length, before + 1, 'what changed nothing renders nothing')
  },

  async 'an item is shown, null where there is none'() {
    const seen = []
    const Item = () => {
      const { data, event } = client.useStreamItem({ streamName: 's', groupId: 'g', id: '1' })
      seen.push([data, event instanceof client.StreamItemSubscription])
      return data?.n ?? '-'
    }
    const { text } = await mount(h(Item))
    const [join] = sent('join')
    assert.deepEqual(
      [seen[0], seen.at(-1)],
      [
        [null, false],
        [null, true],
      ],
    )
    await say(sync(join, { id: '1', n: 7 }))
    assert.equal(text(), '7')
    await say(change('delete', { id: '1', n: 7 }, 2))
    assert.equal(text(), '-')
  },

  async 'hooks wait until all arguments are given'() {
    const Waiting = ({ id }) => {
      const both = [client.useStreamItem(id && { streamName: 's', groupId: 'g', id }), client.useStreamGroup(null)]
      client.useStreamItem({ streamName: 's', groupId: 'g' })
      client.useStreamPresence({ streamName: 's', groupId: 'g' })
      client.useStreamEventHandler({ event: both[1].event, type: 'x', listener: () => {} })
      return JSON.stringify(both.map(({ data }) => data))
    }
    const { render, text } = await mount(h(Waiting))
    assert.deepEqual([text(), sent('join')], ['[null,[]]', []])
    await render(h(Waiting, { id: '1' }))
    assert.deepEqual(
      sent('join').map(({ data }) => data.id),
      ['1'],
    )
  },

  async 'components that watch the same thing share it, until the last goes'() {
    const { render, text } = await mount([h(Group, { key: 1 }), h(Group, { key: 2 })])
    assert.equal(sent('join').length, 1)
    await say(sync(sent('join')[0], [{ id: 'a' }]))
    await render([h(Group, { key: 2 }), h(Group, { key: 3 })])
    assert.deepEqual([text(), sent('join').length, sent('leave').length], ['aa', 1, 0])
    await render([h(Group, { key: 4 })])
    assert.deepEqual([text(), sent('join').length, sent('leave').length], ['a', 1, 0])
    await render([])
    assert.deepEqual([sent('join').length, sent('leave').length], [1, 1])
    await render([h(Group, { key: 5 })])
    assert.deepEqual([text(), sent('join').length], ['', 2])
  },

  async 'other arguments are another subscription'() {
    const { render, text } = await mount(h(Group))
    await say(sync(sent('join')[0], [{ id: 'a' }]))
    await render(h(Group, { of: { ...GROUP, groupId: 'h' } }))
    assert.deepEqual([text(), sent('join').length, sent('leave').length], ['', 2, 1])
    assert.equal(sent('join')[1].data.groupId, 'h')
  },

  async 'strict mode has one connection and one subscription'() {
    const { text } = await mount(h(Group), { strict: true })
    assert.equal(sockets.length, 1)
    assert.deepEqual([sent('join').length, sent('leave').length], [1, 0])
    await say(sync(sent('join')[0], [{ id: 'a' }]))
    assert.equal(text(), 'a')
  },

  async 'it is loading until the server has answered, with a refusal too'() {
    const Loading = ({ groupId }) => {
      const group = client.useStreamGroup({ streamName: 's', groupId })
      const item = client.useStreamItem({ streamName: 's', groupId, id: '1' })
      return [group, item].map(({ loading, data }) => `${loading} ${JSON.stringify(data)}`).join(' ')
    }
    const { text } = await mount(h(Loading, { groupId: 'g' }))
    assert.equal(text(), 'true [] true null')
    const [group, item] = sent('join')
    await say(sync(group, []))
    assert.equal(text(), 'false [] true null')
    const error = { type: 'event', event: { type: 'error', data: { code: 'STREAM_ACCESS_DENIED' } } }
    await say(message(error, { id: '1', subscriptionId: item.data.subscriptionId }))
    assert.equal(text(), 'false [] false null')
  },

  async 'setData is told what the server says, whoever came first'() {
    const calls = []
    const Told = ({ name }) => {
      const setData = (items) => calls.push(`${name}:${texts(items)}`)
      client.useStreamGroup({ streamName: 's', groupId: 'g', setData })
      return null
    }
    const { render } = await mount(h(Told, { key: 1, name: 'first' }))
    await say(sync(sent('join')[0], []))
    await render([h(Told, { key: 1, name: 'first' }), h(Told, { key: 2, name: 'second' })])
    await say(change('create', { id: 'a' }, 2))
    assert.deepEqual(calls, ['first:', 'second:', 'first:a', 'second:a'])
  },

  async 'each component hears an event, and those that went do not'() {
    const heard = []
    const listener = (data) => heard.push(data)
    const Hearing = () => {
      const { event } = client.useStreamGroup({ streamName: 's', groupId: 'g' })
      client.useStreamEventHandler({ event, type: 'note', listener }, [])
      return null
    }
    const { render } = await mount([h(Hearing, { key: 1 }), h(Hearing, { key: 2 })], { open: false })
    await act(async () => {
      last().opens()
      last().says(message({ type: 'event', event: { type: 'note', data: 'at once' } }))
    })
    await render([h(Hearing, { key: 2 })])
    await say(message({ type: 'event', event: { type: 'note', data: 'later' } }))
    assert.deepEqual(heard, ['at once', 'at once', 'later'])
  },

  async 'the state of the connection is shown'() {
    const State = () => client.useStreamState()
    const { text } = await mount(h(State), { open: false })
    assert.equal(text(), 'connecting')
    await act(async () => last().opens())
    assert.equal(text(), 'open')
    await act(async () => last().onclose({}))
    assert.equal(text(), 'reconnecting')
  },

  async 'presence: who is there, without a render where items change'() {
    let renders = 0
    const Present = ({ name }) => {
      renders += 1
      const present = client.useStreamPresence({ streamName: 's', groupId: 'g', info: name && { name } })
      return present.map(({ info }) => info.name).join(' ')
    }
    const { render, text } = await mount(h(Present))
    assert.deepEqual(sent('join'), [])
    await render(h(Present, { name: 'ann' }))
    const [join] = sent('join')
    assert.deepEqual(join.data.presence, { name: 'ann' })
    const [ann, bob] = ['ann', 'bob'].map((name) => ({ presenceId: name, info: { name } }))
    await say(sync(join, []), message({ type: 'presence', data: { present: [ann] } }))
    await say(message({ type: 'presence', data: { joined: bob } }))
    assert.equal(text(), 'ann bob')
    const before = renders
    await say(change('create', { id: 'a' }, 2))
    assert.equal(renders, before)
    await render(h(Present, { name: 'eve' }))
    assert.deepEqual([sent('join').length, sent('leave').length, text()], [2, 1, ''])
  },

  async 'the connection stays while the provider says the same, and the newest function is asked'() {
    const props = (token) => ({ protocols: ['a'], token: () => token })
    const { render } = await mount(null, props('one'))
    assert.equal(last().url, 'ws://host/?token=one')
    await render(null, props('two'))
    assert.equal(sockets.length, 1)
    await act(async () => {
      last().onclose({})
      await new Promise((resolve) => setTimeout(resolve, 550))
    })
    assert.deepEqual([sockets.length, last().url], [2, 'ws://host/?token=two'])
    await render(null, { token: 'three' })
    assert.deepEqual([sockets.length, last().url, sockets[1].readyState], [3, 'ws://host/?token=three', 3])
  },

  async 'a server renders without a connection'() {
    const html = renderToString(h(client.MotiaStreamProvider, { address: 'ws://host/' }, h(Group)))
    assert.deepEqual([html, sockets], ['<p></p>', []])
  },

  async 'a page that a server rendered is taken over as it is'() {
    const page = h(client.MotiaStreamProvider, { address: 'ws://host/' }, h(Group))
    const container = document.createElement('div')
    container.innerHTML = renderToString(page)
    const problems = []
    await act(async () => roots.push(hydrateRoot(container, page, { onRecoverableError: (e) => problems.push(e) })))
    await act(async () => last().opens())
    await say(sync(sent('join')[0], [{ id: 'a' }]))
    assert.deepEqual([container.textContent, problems], ['a', []])
  },

  async 'it ends with the provider'() {
    const { unmount } = await mount(h(Group))
    const socket = last()
    const hears = socket.onmessage
    const [join] = sent('join')
    await unmount()
    await settled()
    assert.equal(socket.readyState, 3)
    hears({ data: JSON.stringify(sync(join, [{ id: 'late' }])) })
  },

  async 'a provider that ends as it begins has no connection'() {
    const root = createRoot(document.createElement('div'))
    const page = (shown) => shown && h(client.MotiaStreamProvider, { address: 'ws://host/' }, h(Group))
    await act(async () => {
      flushSync(() => root.render(page(true)))
      flushSync(() => root.render(page(false)))
    })
    await settled()
    assert.deepEqual(sockets, [])
  },
}

export function define(name) {
  describe(`${name} (${version})`, () => {
    beforeEach(setUp)
    afterEach(tearDown)
    for (const [what, run] of Object.entries(TESTS)) test(what, run)
  })
}
