import { Stream as CoreStream } from '@motiadev/stream-client'
import type { StreamAddress, WebSocketOptions } from '@motiadev/stream-client/websocket'

export * from '@motiadev/stream-client'

export interface NodeStreamOptions extends WebSocketOptions {
  /** Another WebSocket class instead of ours, such as that of `ws`, or the global one. */
  WebSocket?: new (
    url: string,
    protocols?: string | string[],
  ) => unknown
}

/**
 * Watches streams in Node. It keeps the process running until it is closed.
 *
 * ```ts
 * const stream = new Stream('ws://localhost:3000')
 * const order = stream.subscribeItem<Order>('order', 'all', 'o1')
 * order.addChangeListener((state) => console.log(state))
 * ```
 */
export declare class Stream extends CoreStream {
  constructor(address: StreamAddress, options?: NodeStreamOptions)
}
