import { Stream as CoreStream } from '@motiadev/stream-client'
import type { StreamAddress, WebSocketOptions } from '@motiadev/stream-client/websocket'

export * from '@motiadev/stream-client'

export type BrowserStreamOptions = WebSocketOptions

/**
 * Watches streams over the browser's WebSocket.
 *
 * ```ts
 * const stream = new Stream('wss://example.com', { token: () => fetchToken() })
 * const todos = stream.subscribeGroup<Todo>('todo', 'inbox')
 * todos.addChangeListener(render)
 * ```
 */
export declare class Stream extends CoreStream {
  constructor(address: StreamAddress, options?: BrowserStreamOptions)
}
