import { Stream as CoreStream } from '@motiadev/stream-client'
import { webSockets } from '@motiadev/stream-client/websocket'
import { NodeWebSocket } from './lib/node-websocket.mjs'

export { StreamGroupSubscription, StreamItemSubscription, StreamSubscription } from '@motiadev/stream-client'

/**
 * Watches streams over a small WebSocket of its own. Node 20 has none, and that of later ones keeps a process from ending
 * where the other side has died without a word.
 */
export class Stream extends CoreStream {
  constructor(address, options = {}) {
    const Socket = options.WebSocket ?? NodeWebSocket
    super(
      webSockets(address, options, (url, protocols) => new Socket(url, protocols)),
      options,
    )
  }
}
