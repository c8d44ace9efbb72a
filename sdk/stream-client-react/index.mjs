'use client'

export {
  Stream,
  StreamGroupSubscription,
  StreamItemSubscription,
  StreamSubscription,
} from '@motiadev/stream-client-browser'
export {
  useStreamEventHandler,
  useStreamGroup,
  useStreamItem,
  useStreamPresence,
  useStreamState,
} from './lib/hooks.mjs'
export { MotiaStreamProvider, useMotiaStream } from './lib/provider.mjs'
