const NOTHING = { data: null, event: null, loading: true }

/** What is there while there is nothing to watch. */
const none = { subscribe: () => () => {}, getSnapshot: () => NOTHING, isTold: () => false }

/** Each stream's subscriptions of now, by what they watch: one for all components that watch the same thing. */
const known = new WeakMap()

/** A store as `useSyncExternalStore` wants it. `watched` is `{streamName, groupId, id?, sortKey?, presence?}`, as JSON. */
export function sharedOf(stream, watched) {
  if (!stream || !watched) return none
  if (!known.has(stream)) known.set(stream, new Map())
  const entries = known.get(stream)

  function subscribe(notify) {
    if (!entries.has(watched)) entries.set(watched, join(stream, JSON.parse(watched)))
    const entry = entries.get(watched)
    entry.users.add(notify)
    return () => {
      entry.users.delete(notify)
      // Strict mode, and whoever moves from one component to another, comes back at once.
      setTimeout(() => leave(entry))
    }
  }

  function leave(entry) {
    if (entry.users.size > 0 || entries.get(watched) !== entry) return
    entries.delete(watched)
    entry.snapshot.event.close()
  }

  return {
    subscribe,
    getSnapshot: () => entries.get(watched)?.snapshot ?? NOTHING,
    /** Whether the state is what the server said, rather than what there is before its first answer. */
    isTold: () => entries.get(watched)?.told === true,
  }
}

function join(stream, { streamName, groupId, id, sortKey, presence }) {
  const event =
    id === undefined
      ? stream.subscribeGroup(streamName, groupId, sortKey, { presence })
      : stream.subscribeItem(streamName, groupId, id, { presence })
  const entry = { snapshot: { data: event.getState(), event, loading: true }, told: false, users: new Set() }
  const show = (data) => {
    const { snapshot } = entry
    if (data === snapshot.data && !snapshot.loading) return
    entry.snapshot = { data, event, loading: false }
    for (const notify of [...entry.users]) notify()
  }
  event.addChangeListener((data) => {
    entry.told = true
    show(data)
  })
  // That nobody may watch it is an answer too.
  event.onEvent('error', () => show(event.getState()))
  return entry
}
