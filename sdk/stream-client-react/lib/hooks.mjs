'use client'

import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import { useMotiaStream } from './provider.mjs'
import { sharedOf } from './shared.mjs'

const NO_ITEMS = []
const NOBODY = []
const nothing = () => () => {}

/** The subscription to `watched`; none while `needed` are not all given. */
function useShared(watched, needed) {
  const { stream } = useMotiaStream()
  const key = needed.every(Boolean) ? JSON.stringify(watched) : undefined
  return useMemo(() => sharedOf(stream, key), [stream, key])
}

const useSnapshot = ({ subscribe, getSnapshot }) => useSyncExternalStore(subscribe, getSnapshot, getSnapshot)

export function useStreamItem(args) {
  const { streamName, groupId, id } = args ?? {}
  return useSnapshot(useShared({ streamName, groupId, id }, [streamName, groupId, id]))
}

export function useStreamGroup(args) {
  const { streamName, groupId, sortKey, setData } = args ?? {}
  const shared = useShared({ streamName, groupId, sortKey }, [streamName, groupId])
  const { data, event, loading } = useSnapshot(shared)
  const latest = useRef()
  useEffect(() => {
    latest.current = setData
  })
  useEffect(() => {
    if (!event) return
    const tell = (items) => latest.current?.(items)
    event.addChangeListener(tell)
    if (shared.isTold()) tell(event.getState())
    return () => event.removeChangeListener(tell)
  }, [event, shared])
  return useMemo(() => ({ data: data ?? NO_ITEMS, event, loading }), [data, event, loading])
}

export function useStreamEventHandler({ event, type, listener }, deps = []) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever calls says what the listener depends on
  useEffect(() => {
    if (!event) return
    // One of its own: another component may listen with the same function to the same subscription.
    const own = (data) => listener(data)
    event.onEvent(type, own)
    return () => event.offEvent(type, own)
  }, [event, type, ...deps])
}

export function useStreamState() {
  const { stream } = useMotiaStream()
  const subscribe = useCallback((notify) => stream?.onStateChange(notify) ?? nothing(), [stream])
  const state = () => stream?.state ?? 'connecting'
  return useSyncExternalStore(subscribe, state, state)
}

export function useStreamPresence(args) {
  const { streamName, groupId, id, info } = args ?? {}
  const here = info !== undefined && info !== null
  const shared = useShared({ streamName, groupId, id, presence: info }, [streamName, groupId, here])
  const current = () => shared.getSnapshot().event
  const event = useSyncExternalStore(shared.subscribe, current, current)
  const subscribe = useCallback((notify) => event?.onPresence(notify) ?? nothing(), [event])
  const present = () => event?.presence ?? NOBODY
  return useSyncExternalStore(subscribe, present, present)
}
