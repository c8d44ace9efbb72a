import { Listeners } from './listeners.mjs'

/** All in milliseconds. */
const FIRST_RETRY = 500
const LAST_RETRY = 30_000
const OPEN_LIMIT = 20_000
const PING_EVERY = 12_000
const PROBE_LIMIT = 5000
/** A connection that was open for so long was a good one: the next retry comes soon again. */
const LASTING = 5000

/** A socket that is opened again whenever it is lost, until it is closed. */
export class Connection {
  adapter
  state = 'connecting'
  #factory
  #handlers
  #retry
  #states = new Listeners()
  /** Rises with every socket: what an older one still says is passed over. */
  #attempt = 0
  #failures = 0
  /** Whether the next try is a matter of time. */
  #waiting = false
  #openedAt
  #timer
  #ping
  /** Whether the server of the last connection answered our hello. */
  #answers = false
  #heard

  /** `handlers` are `{open(), message(text)}`. */
  constructor(factory, handlers, { first = FIRST_RETRY, most = LAST_RETRY } = {}) {
    this.#factory = factory
    this.#handlers = handlers
    this.#retry = { first, most }
  }

  onStateChange(listener) {
    return this.#states.add(listener)
  }

  connect() {
    this.#leave()
    const attempt = this.#attempt
    if (this.state !== 'reconnecting') this.#become('connecting')
    if (attempt !== this.#attempt) return
    this.#timer = setTimeout(() => this.#lost(attempt), OPEN_LIMIT)
    try {
      const made = this.#factory()
      if (typeof made?.then !== 'function') return this.#use(made, attempt)
      made.then((adapter) => this.#use(adapter, attempt)).catch((error) => this.#failed(error, attempt))
    } catch (error) {
      this.#failed(error, attempt)
    }
  }

  /** The network may be back, or gone without a word. */
  wake() {
    if (this.state !== 'open') this.#failures = 0
    if (this.#waiting) this.connect()
    this.#probe(PROBE_LIMIT)
  }

  send(message) {
    try {
      if (this.adapter?.isOpen()) this.adapter.send(JSON.stringify(message))
    } catch {
      // It is about to close, and all that matters is said again at the next connection.
    }
  }

  /** From now on the other side answers to `ping`. */
  keepAlive(ping) {
    this.#ping = ping
    this.#answers = true
    this.#probe(PING_EVERY)
  }

  close() {
    this.#leave()
    this.#become('closed')
  }

  #use(adapter, attempt) {
    if (attempt !== this.#attempt) return adapter.close()
    const current = (handle) => (given) => attempt === this.#attempt && handle(given)
    this.adapter = adapter
    adapter.onMessage(
      current((text) => {
        this.#heard = true
        this.#handlers.message(text)
      }),
    )
    const opened = current(() => this.#opened())
    adapter.onOpen(opened)
    adapter.onClose(() => this.#lost(attempt))
    if (adapter.isOpen()) opened()
  }

  #opened() {
    if (this.#openedAt !== undefined) return
    clearTimeout(this.#timer)
    this.#openedAt = Date.now()
    // The last server answered, so will this one, or it is dead already. But it may be another that does not: once only.
    if (this.#answers) this.#expect(PING_EVERY)
    this.#answers = false
    this.#handlers.open()
    this.#become('open')
  }

  #failed(error, attempt) {
    console.error('A stream cannot connect:', error)
    this.#lost(attempt)
  }

  #lost(attempt) {
    if (attempt !== this.#attempt) return
    if (Date.now() - this.#openedAt >= LASTING) this.#failures = 0
    this.#leave()
    // Full jitter: after a restart of the server its clients come back one by one.
    const wait = Math.random() * Math.min(this.#retry.most, this.#retry.first * 2 ** this.#failures)
    this.#failures += 1
    this.#waiting = true
    this.#timer = setTimeout(() => this.connect(), wait)
    this.#become('reconnecting')
  }

  /** Lets go of the socket there is. */
  #leave() {
    clearTimeout(this.#timer)
    this.#attempt += 1
    this.#waiting = false
    const { adapter } = this
    this.adapter = this.#ping = this.#openedAt = undefined
    try {
      adapter?.close()
    } catch {
      // It was closed already.
    }
  }

  /** Asks for a sign of life, and lets go where none comes within `limit`; then again, every now and then. */
  #probe(limit) {
    if (!this.#ping) return
    this.#ping()
    this.#expect(limit)
  }

  #expect(limit) {
    const attempt = this.#attempt
    clearTimeout(this.#timer)
    this.#heard = false
    this.#timer = setTimeout(() => {
      if (this.#heard) this.#probe(PING_EVERY)
      else this.#lost(attempt)
    }, limit)
  }

  #become(state) {
    if (state === this.state) return
    this.state = state
    this.#states.call(state)
  }
}
