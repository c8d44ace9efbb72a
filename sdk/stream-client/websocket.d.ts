import type { SocketAdapterFactory, StreamOptions } from './index.js'

type Asked<T> = T | (() => T | Promise<T>)

/** A function is asked anew for each connection, so that a token that expired is replaced. */
export interface WebSocketOptions extends StreamOptions {
  /** The subprotocols to offer. */
  protocols?: Asked<string | string[] | undefined>
  /** Goes into the query of the address. */
  token?: Asked<string | null | undefined>
  /** The name that `token` has there. @default 'token' */
  tokenParam?: string
}

/** `http` and `https` are taken for `ws` and `wss`; in a page a path is enough. */
export type StreamAddress = Asked<string>

/** Adapters over a `WebSocket` of the kind that browsers have. */
export declare function webSockets(
  address: StreamAddress,
  options: WebSocketOptions | undefined,
  newSocket: (url: string, protocols?: string | string[]) => unknown,
): SocketAdapterFactory
