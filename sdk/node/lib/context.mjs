// The `ctx` of handlers. All members work without `this`, since handlers take them apart: `(req, { emit, state }) =>`.
import { createLogger } from './logger.mjs'
import { operate } from './operate.mjs'

const CALL = Symbol('motia.call')

/**
 * The accessor is shared and found through a symbol: a closure per call would cost more than the rest of the context.
 */
const SIGNAL = {
  get() {
    return this[CALL].signal
  },
  enumerable: true,
  configurable: true,
}

/** `streams` is the class that `streamsClass` made for the project's streams. */
export function createContext(call, Streams, log) {
  const context = {
    traceId: call.trace,
    traceparent: call.traceparent,
    flows: call.step.flows,
    logger: createLogger((level, message, details) => log.send(level, message, details, 'logger', call)),
    state: createState(call),
    emit: (event, data) => emit(call, log, event, data),
    events: { cancel: (event) => cancel(call, event) },
    streams: new Streams(call),
    sync: () => operate(call, 'sync'),
    [CALL]: call,
  }
  return Object.defineProperty(context, 'signal', SIGNAL)
}

/** `emit({ topic, data, messageGroupId, delay | at, priority, idempotencyKey })`, and `emit(topic, data)` of the first versions. */
function emit(call, log, event, data) {
  if (event === null || typeof event !== 'object') return emitted(call, { topic: event }, data)
  const { topic, messageGroupId, delay, at, priority, idempotencyKey } = event
  if (topic === undefined) {
    // As the original: `{ type, data }` of its first versions, and misspelt members, lose the event and not the request.
    const message = 'emit was called without a topic, so nothing was emitted: emit({ topic, data })'
    log.send('warn', message, { members: Object.keys(event) }, 'worker', call)
    return Promise.resolve(new Emitted(call, NOTHING))
  }
  const names = { topic }
  if (messageGroupId != null) names.group = messageGroupId
  if (idempotencyKey != null) names.once = idempotencyKey
  // Most events have none of these.
  if (delay == null && at == null && priority == null) return emitted(call, names, event.data)
  return emitted(call, names, event.data, {
    delay: delay ?? undefined,
    at: timeOf(at),
    priority: priority ?? undefined,
  })
}

const emitted = (call, names, data, more) =>
  operate(call, 'emit', names, data, (event) => new Emitted(call, event ?? NOTHING), more)

/** An event that was dropped: its topic is not in `emits`, or missing. */
const NOTHING = { id: '' }

const timeOf = (at) => (at instanceof Date ? at.getTime() : (at ?? undefined))

/** What `emit` resolves with: the event, which can be taken back as long as it waits. */
class Emitted {
  #call

  constructor(call, { id, repeated = false }) {
    this.#call = call
    this.id = id
    this.repeated = repeated
  }

  cancel() {
    return cancel(this.#call, this.id)
  }
}

/** Whether anything of the event still waited, and does not any more. */
const cancel = (call, event) => operate(call, 'cancel', { event }, undefined, (deliveries) => deliveries > 0)

/** `null` says that no value is there: too much to be meant by leaving it out. */
function expectedOf(revision) {
  // The engine says what it should be.
  return revision === undefined ? 'undefined' : (revision ?? undefined)
}

function createState(call) {
  const ttlOf = (options) => (options?.ttl == null ? undefined : { ttl: options.ttl })
  return {
    get: (group, key) => operate(call, 'state.get', { group, key }),
    // There is no undefined in a store: a group would list a key without a value.
    set: (group, key, value = null, options) =>
      operate(call, 'state.set', { group, key }, value, () => value, ttlOf(options)),
    delete: (group, key) => operate(call, 'state.delete', { group, key }),
    getGroup: (group) => operate(call, 'state.getGroup', { group }),
    clear: (group) => operate(call, 'state.clear', { group }),
    entry: (group, key) => operate(call, 'state.entry', { group, key }),
    setIfRevision: (group, key, value = null, revision, options) =>
      operate(call, 'state.setIf', { group, key }, value, undefined, {
        expected: expectedOf(revision),
        ...ttlOf(options),
      }),
    update: (group, key, changes) => operate(call, 'state.update', { group, key }, changes),
    listKeys: (group) => operate(call, 'state.listKeys', { group }),
    listGroups: () => operate(call, 'state.listGroups'),
  }
}

/**
 * A class with one member per stream. Members are made when they are first asked for, since a project has more
 * streams than a handler uses, and are then the object's own; a stream that does not exist is undefined.
 */
export function streamsClass(names) {
  class Streams {
    constructor(call) {
      this[CALL] = call
    }
  }
  for (const name of names) {
    Object.defineProperty(Streams.prototype, name, {
      get() {
        const stream = createStream(this[CALL], name)
        Object.defineProperty(this, name, { value: stream, enumerable: true, configurable: true, writable: true })
        return stream
      },
      enumerable: true,
      configurable: true,
    })
  }
  return Streams
}

function createStream(call, stream) {
  const mark = (group, item) => marked(stream, group, item)
  const all = (group, items) => items.map((item) => mark(group, item))
  return {
    get: (group, id) => operate(call, 'stream.get', { stream, group, id }, undefined, (item) => mark(group, item)),
    set: (group, id, data) =>
      operate(call, 'stream.set', { stream, group, id }, unmarked(data), (item) => mark(group, item)),
    delete: (group, id) =>
      operate(call, 'stream.delete', { stream, group, id }, undefined, (item) => mark(group, item)),
    update: (group, id, changes) =>
      operate(call, 'stream.update', { stream, group, id }, changes, (item) => mark(group, item)),
    getGroup: (group) => operate(call, 'stream.getGroup', { stream, group }, undefined, (items) => all(group, items)),
    query: (group, query) =>
      operate(call, 'stream.query', { stream, group }, query, (items) => all(group, items), undefined, complete(query)),
    clear: (group) => operate(call, 'stream.clear', { stream, group }),
    send: (channel, event) => {
      const { groupId: group, id } = channel ?? {}
      const { type, data } = event ?? {}
      return operate(call, 'stream.send', id == null ? { stream, group } : { stream, group, id }, { type, data })
    },
  }
}

/**
 * A replacer for the JSON of a query. What JSON leaves out or turns into null would ask for more than was meant:
 * `where: { owner: undefined }` for everybody's items, `limit: NaN` for all of them. Only whole parts may be undefined.
 */
function complete(query) {
  return function (name, value) {
    const lost =
      typeof value === 'number' ? !Number.isFinite(value) : value === undefined || typeof value === 'function'
    if (lost && value !== query && !(value === undefined && this === query)) {
      throw new TypeError(`'${name}' is ${typeof value === 'number' ? value : typeof value}`)
    }
    return value
  }
}

/** The Workbench subscribes to what a response shows it: an item says which one it is. */
function marked(streamName, groupId, item) {
  if (item === null || typeof item !== 'object' || Array.isArray(item)) return item
  item.__motia = { type: 'state-stream', streamName, groupId: String(groupId), id: item.id }
  return item
}

/** `set(group, id, { ...item, status })` sends back what `get` had added. */
function unmarked(data) {
  if (data === undefined) return null
  if (data === null || typeof data !== 'object' || !Object.hasOwn(data, '__motia')) return data
  const { __motia, ...rest } = data
  return rest
}
