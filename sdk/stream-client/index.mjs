export { Stream } from './lib/stream.mjs'
export { StreamGroupSubscription, StreamItemSubscription, StreamSubscription } from './lib/subscription.mjs'
