const CHANGES = ['create', 'update', 'delete']
const GIVEN = 'given'
/** Another join may well be answered. */
const READ_FAILED = 'STREAM_READ_FAILED'

/**
 * How far a subscription has come, and so which messages are for it now.
 *
 * A server that knows our hello counts the changes of a group by offsets. One of 0.x has timestamps alone.
 */
export class Progress {
  #sub
  #offset
  #epoch
  #last = Number.NEGATIVE_INFINITY
  #lastEvent = Number.NEGATIVE_INFINITY
  #synced = false
  /** Of its join on this connection: `given`, or the code of the error that came instead. */
  #answer
  /** The changes that came before the answer, by offset: a replay, and what others on this connection are told meanwhile. */
  #held = new Map()

  constructor(sub) {
    this.#sub = sub
  }

  /** A new connection. What its server says is right, whatever its clock. What a join is to say is returned. */
  rejoin() {
    this.#answer = undefined
    this.#held.clear()
    this.#last = this.#lastEvent = Number.NEGATIVE_INFINITY
    return this.#offset === undefined ? {} : { offset: this.#offset, epoch: this.#epoch }
  }

  /** Whether its join could not be answered just now, and is to be said again in a while. */
  get failed() {
    return this.#answer === READ_FAILED
  }

  /** Calls `apply(message, gap)` with what is to be applied because of `message`. */
  take(message, epoch, apply) {
    const { subscriptionId, offset, event } = message
    // The answer to a join of somebody else here says nothing of how far this one has come, not even by its offset.
    if (subscriptionId !== undefined && subscriptionId !== this.#sub.subscriptionId) return
    if (event.type === 'resumed' || event.type === 'sync') {
      if (this.#concerns(message)) this.#answered(message, epoch, apply)
    } else if (CHANGES.includes(event.type) && offset !== undefined) {
      this.#counted(message, epoch, apply)
    } else if (this.#concerns(message) && !this.#stale(message)) {
      if (subscriptionId !== undefined && event.type === 'event') this.#refused(event.event.data?.code)
      apply(message)
    }
  }

  /** An item is told what bears its id; a group also what happens to any of its items, and what is sent to one. */
  #concerns({ subscriptionId, id, event: { type } }) {
    if (subscriptionId !== undefined || id === this.#sub.id) return true
    return this.#sub.id === undefined && (CHANGES.includes(type) || type === 'event')
  }

  #answered(message, epoch, apply) {
    const { offset, event } = message
    if (event.type === 'sync') {
      if (this.#stale(message)) return
      const gap = this.#synced && (event.gap === true || this.#answer === undefined)
      this.#synced = true
      this.#offset = offset
      apply(message, gap)
    }
    this.#answer = GIVEN
    const held = [...this.#held.values()].sort((one, other) => one.offset - other.offset)
    this.#held.clear()
    for (const change of held) this.#counted(change, epoch, apply)
    this.#reach(offset, epoch)
  }

  #counted(change, epoch, apply) {
    if (this.#answer === undefined) {
      if (this.#concerns(change)) this.#held.set(change.offset, change)
    } else if (this.#answer === GIVEN && change.offset > this.#offset) {
      // Once it was answered, an item too has come as far as any item of its group: it was told all that is its own.
      this.#reach(change.offset, epoch)
      if (this.#concerns(change)) apply(change)
    }
  }

  #reach(offset, epoch) {
    if (offset === undefined) return
    this.#offset = Math.max(offset, this.#offset ?? offset)
    this.#epoch = epoch
  }

  /** An error instead of an answer: it hears nothing more until it joins again. Who was not allowed starts anew then. */
  #refused(code = 'REFUSED') {
    // One that comes after the answer, such as where too many are present, does not end it.
    if (this.#answer !== undefined) return
    this.#answer = code
    this.#held.clear()
    if (code !== READ_FAILED) this.#offset = undefined
  }

  /**
   * By timestamps: what is older than what was before it; those of the same millisecond are in order. Events are apart,
   * since 0.17 with Redis sends each change as an event first, which may bear a later one.
   */
  #stale({ timestamp, offset, event: { type } }) {
    if (offset !== undefined || !(timestamp >= 0) || type === 'presence') return false
    const item = this.#sub.id !== undefined
    if (type === 'event') {
      if (item && timestamp < this.#lastEvent) return true
      this.#lastEvent = timestamp
      return false
    }
    const older = timestamp < this.#last || (item && type === 'sync' && timestamp === this.#last)
    if (older && (item || type === 'sync')) return true
    this.#last = Math.max(timestamp, this.#last)
    return false
  }
}
