// The base of the stream adapters that projects write themselves.
'use strict'

const { isDeepStrictEqual } = require('node:util')

/** An adapter has `get`, `set`, `delete` and `getGroup` of its own; the rest need not be written. */
class StreamAdapter {
  constructor(streamName) {
    this.streamName = streamName
  }

  // Those who watch are told by the engine.
  async send() {}
  async subscribe() {}
  async unsubscribe() {}

  async clear(groupId) {
    for (const { id } of await this.getGroup(groupId)) await this.delete(groupId, id)
  }

  async query(groupId, filter) {
    const { where = {}, orderBy, orderDirection, offset, limit } = filter ?? {}
    const wanted = Object.entries(where ?? {})
    const items = await this.getGroup(groupId)
    const found = items.filter((item) => wanted.every(([name, value]) => isSame(item[name], value)))
    if (orderBy != null) {
      const sign = orderDirection === 'desc' ? -1 : 1
      found.sort((one, other) => sign * compare(one[orderBy], other[orderBy]))
    }
    const from = offset ?? 0
    return found.slice(from, limit == null ? undefined : from + limit)
  }
}

/** The worker asks for a query only where the adapter has its own: the engine can choose among items itself. */
StreamAdapter.prototype.query[Symbol.for('motia.default')] = true

/** What an item does not have is null. */
const isSame = (one, other) => isDeepStrictEqual(one ?? null, other ?? null)

const RANKS = { boolean: 1, number: 2, string: 3 }
const rankOf = (value) => (value == null ? 0 : (RANKS[typeof value] ?? 4))

/** As the engine orders: nothing, booleans, numbers, texts, everything else. */
function compare(one, other) {
  return rankOf(one) - rankOf(other) || (one < other ? -1 : Number(one > other))
}

module.exports = { StreamAdapter }
