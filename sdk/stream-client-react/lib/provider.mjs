'use client'

import { Stream } from '@motiadev/stream-client-browser'
import { createContext, createElement, useContext, useEffect, useMemo, useRef, useState } from 'react'

const MotiaStream = createContext({ stream: null })

export const useMotiaStream = () => useContext(MotiaStream)

/**
 * The connection of all that is below it. There is none before the first effect, and so none on a server that renders.
 */
export function MotiaStreamProvider({ address, protocols, token, tokenParam, retry, children }) {
  const [stream, setStream] = useState(null)
  const given = useRef({})
  useEffect(() => {
    given.current = { address, protocols, token }
  })
  // A list that says the same is no other connection, and of a function the newest is asked at the next one.
  const key = JSON.stringify([address, protocols, token, tokenParam, retry], (_, value) =>
    typeof value === 'function' ? { asked: true } : value,
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for them all
  useEffect(() => {
    const now = (name) => {
      const value = given.current[name]
      return typeof value === 'function' ? () => given.current[name]() : value
    }
    let opened
    let ended = false
    // In a moment: strict mode ends its first effect at once, and needs no connection for it.
    queueMicrotask(() => {
      if (ended) return
      opened = new Stream(now('address'), { protocols: now('protocols'), token: now('token'), tokenParam, retry })
      setStream(opened)
    })
    return () => {
      ended = true
      opened?.close()
    }
  }, [key])
  const value = useMemo(() => ({ stream }), [stream])
  return createElement(MotiaStream.Provider, { value }, children)
}
