import { Listeners } from './listeners.mjs'

/** What is watched: its state as far as it is known, and who wants to hear of it. */
export class StreamSubscription {
  #state
  #presence = []
  #closed = false
  #changes = new Listeners()
  #closes = new Listeners()
  #gaps = new Listeners()
  #presences = new Listeners()
  #events = new Map()

  /** `sub` is what a join says: `{streamName, groupId, id?, subscriptionId}`. */
  constructor(sub, state) {
    this.sub = sub
    this.#state = state
  }

  getState() {
    return this.#state
  }

  get presence() {
    return this.#presence
  }

  addChangeListener(listener) {
    this.#changes.add(listener)
  }

  removeChangeListener(listener) {
    this.#changes.remove(listener)
  }

  onEvent(type, listener) {
    if (!this.#events.has(type)) this.#events.set(type, new Listeners())
    this.#events.get(type).add(listener)
  }

  offEvent(type, listener) {
    this.#events.get(type)?.remove(listener)
  }

  onClose(listener) {
    this.#closes.add(listener)
  }

  onGap(listener) {
    return this.#gaps.add(listener)
  }

  onPresence(listener) {
    return this.#presences.add(listener)
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#closes.call()
  }

  /** Takes a message of the server that is for this subscription. `gap` says that others before it were missed. */
  listener({ event }, gap = false) {
    if (this.#closed) return
    if (event.type === 'event') return this.#events.get(event.event.type)?.call(event.event.data)
    if (event.type === 'presence') return this.#meet(event.data)
    this.#state = this.next(this.#state, event)
    if (gap) this.#gaps.call()
    this.#changes.call(this.#state)
  }

  #meet({ present, joined, left }) {
    const gone = joined?.presenceId ?? left?.presenceId
    this.#presence = present ?? this.#presence.filter(({ presenceId }) => presenceId !== gone)
    if (joined) this.#presence.push(joined)
    this.#presences.call(this.#presence)
  }
}

export class StreamItemSubscription extends StreamSubscription {
  constructor(sub) {
    super(sub, null)
  }

  /** The state after a change. */
  next(item, { type, data }) {
    if (type === 'delete') return null
    return type === 'sync' ? kept(item, data) : data
  }
}

export class StreamGroupSubscription extends StreamSubscription {
  #sortKey

  constructor(sub, sortKey) {
    super(sub, [])
    this.#sortKey = sortKey
  }

  /** The state after a change: the same array where nothing is different. */
  next(items, { type, data }) {
    const known = items.some(({ id }) => id === data?.id)
    if (type === 'sync') return this.#synced(items, data)
    // With 0.x, items that are set at once may each be said to be created.
    if (type === 'create' && !known) return this.#sorted([...items, data])
    if (!known) return items
    if (type === 'delete') return items.filter(({ id }) => id !== data.id)
    return this.#sorted(items.map((item) => (item.id === data.id ? data : item)))
  }

  #synced(items, data) {
    const before = new Map(items.map((item) => [item.id, item]))
    const after = this.#sorted(data.map((item) => kept(before.get(item.id), item)))
    const same = after.length === items.length && after.every((item, index) => item === items[index])
    return same ? items : after
  }

  #sorted(items) {
    const key = this.#sortKey
    const text = (item) => String(item[key] ?? '')
    return key === undefined ? items : items.sort((one, other) => text(one).localeCompare(text(other)))
  }
}

/** The old object where the new one says the same, so that whoever compares them sees that nothing changed. */
const kept = (before, after) => (JSON.stringify(before) === JSON.stringify(after) ? before : after)
