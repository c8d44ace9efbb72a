import { Connection } from './connection.mjs'
import { Progress } from './progress.mjs'
import { StreamGroupSubscription, StreamItemSubscription } from './subscription.mjs'

const HELLO = { type: 'hello', data: { protocol: 1 } }
const PING = { type: 'ping' }
/** How long a join that could not be answered waits at most until it is said again, in ms. */
const JOIN_AGAIN = 5000

/** Ids are to differ within a connection; `crypto.randomUUID` is missing in pages without TLS. */
let subscribed = 0
const newId = () => `${Math.random().toString(36).slice(2)}-${++subscribed}`

/** Watches groups and items over a connection that comes back by itself. */
export class Stream {
  #connection
  /** For each stream and group its subscriptions, with how far each has come and what it says of itself. */
  #rooms = new Map()
  #epoch
  #previous

  /** `adapterFactory` makes a socket that opens by itself; it is asked for each connection anew. */
  constructor(adapterFactory, { retry } = {}) {
    const handlers = { open: () => this.#opened(), message: (text) => this.#receive(text) }
    this.#connection = new Connection(adapterFactory, handlers, retry)
    this.#connection.connect()
  }

  /** The socket of now; none while it waits to try again. */
  get ws() {
    return this.#connection.adapter
  }

  get state() {
    return this.#connection.state
  }

  onStateChange(listener) {
    return this.#connection.onStateChange(listener)
  }

  createSocket() {
    this.#connection.connect()
    return this.ws
  }

  wake() {
    this.#connection.wake()
  }

  subscribeItem(streamName, groupId, id, { presence } = {}) {
    const sub = { streamName, groupId: text(groupId), id: text(id), subscriptionId: newId() }
    return this.#subscribe(new StreamItemSubscription(sub), presence)
  }

  subscribeGroup(streamName, groupId, sortKey, { presence } = {}) {
    const sub = { streamName, groupId: text(groupId), subscriptionId: newId() }
    return this.#subscribe(new StreamGroupSubscription(sub, sortKey), presence)
  }

  close() {
    this.#connection.close()
    this.#rooms.clear()
  }

  #subscribe(subscription, presence) {
    const { sub } = subscription
    const key = roomOf(sub)
    if (!this.#rooms.has(key)) this.#rooms.set(key, new Map())
    const room = this.#rooms.get(key)
    const watcher = { progress: new Progress(sub), presence }
    room.set(subscription, watcher)
    subscription.onClose(() => {
      watcher.left = true
      room.delete(subscription)
      this.#connection.send({ type: 'leave', data: sub })
      if (room.size === 0 && this.#rooms.get(key) === room) this.#rooms.delete(key)
    })
    this.#join(sub, watcher)
    return subscription
  }

  #join(sub, { progress, presence }) {
    this.#connection.send({ type: 'join', data: { ...sub, ...progress.rejoin(), presence } })
  }

  #opened() {
    this.#previous = undefined
    this.#connection.send(HELLO)
    for (const room of this.#rooms.values()) for (const [{ sub }, watcher] of room) this.#join(sub, watcher)
  }

  #receive(text) {
    let messages
    try {
      messages = [JSON.parse(text)].flat()
    } catch {
      return
    }
    // A server of 0.x sends what concerns an item once for the item, and once for its group.
    const repeated = text === this.#previous
    this.#previous = text
    for (const message of messages) {
      try {
        if (!repeated || message?.id === undefined) this.#handle(message)
      } catch (error) {
        console.error('A message of a stream cannot be understood:', message, error)
      }
    }
  }

  #handle(message) {
    this.#epoch = message?.epoch ?? this.#epoch
    if (message?.type === 'hello') {
      this.#epoch = message.data?.epoch
      this.#connection.keepAlive(() => this.#connection.send(PING))
    }
    const room = message?.event && this.#rooms.get(roomOf(message))
    if (!room) return
    for (const [subscription, watcher] of [...room]) {
      const { progress, presence } = watcher
      if (message.event.type === 'presence' && presence === undefined) continue
      const failed = progress.failed
      progress.take(message, this.#epoch, (taken, gap) => subscription.listener(taken, gap))
      if (progress.failed && !failed) this.#joinAgain(subscription, watcher)
    }
  }

  #joinAgain({ sub }, watcher) {
    const { adapter } = this.#connection
    setTimeout(() => {
      // At another connection it was said already.
      const current = adapter === this.#connection.adapter && !watcher.left
      if (current) this.#join(sub, watcher)
    }, JOIN_AGAIN * Math.random())
  }
}

/** Programs without types may count their groups and items; the server has texts alone. */
const text = (id) => (typeof id === 'number' ? String(id) : id)

const roomOf = ({ streamName, groupId }) => JSON.stringify([streamName, groupId])
