import type {
  Presence,
  Stream,
  StreamName,
  StreamOptions,
  StreamState,
  StreamSubscription,
  Streams,
} from '@motiadev/stream-client-browser'
import type { FunctionComponent, PropsWithChildren } from 'react'

export * from '@motiadev/stream-client-browser'

type BrowserOptions = NonNullable<ConstructorParameters<typeof Stream>[1]>

export type MotiaStreamProviderProps = PropsWithChildren<{
  /** Where the server is: `ws://localhost:3000`, or a path of the page's own server. */
  address: ConstructorParameters<typeof Stream>[0]
  protocols?: BrowserOptions['protocols']
  /** A function is asked anew for each connection; another text, as after a login, connects anew. */
  token?: BrowserOptions['token']
  tokenParam?: string
  retry?: StreamOptions['retry']
}>

/** The connection of all components below it. */
export declare const MotiaStreamProvider: FunctionComponent<MotiaStreamProviderProps>

/** `stream` is null before the first effect of the provider, and on a server that renders. */
export declare function useMotiaStream(): { stream: Stream | null }

export interface StreamItemArgs<Name extends string = string> {
  streamName: Name
  groupId: string
  /** The hook waits while it is missing. */
  id?: string
}

/** `event` is the subscription, shared by all components that watch the same thing: leave its `close()` to the hook. */
export interface StreamItemResult<TData> {
  /** Null where there is no such item, or not yet. */
  data: TData | null
  event: StreamSubscription | null
  /** Until the server's first answer. */
  loading: boolean
}

/** Watches an item. While an argument is missing it waits. */
export declare function useStreamItem<Name extends StreamName>(
  args?: StreamItemArgs<Name>,
): StreamItemResult<Streams[Name] & { id: string }>
export declare function useStreamItem<TData>(args?: StreamItemArgs): StreamItemResult<TData>

export interface StreamGroupArgs<TData, Name extends string = string> {
  streamName: Name
  groupId: string
  /** The items are in the order of this field, compared as text. */
  sortKey?: keyof TData
  /** Called with the items whenever the server tells something of them. */
  setData?: (data: TData[]) => void
}

export interface StreamGroupResult<TData> {
  data: TData[]
  event: StreamSubscription | null
  /** Until the server's first answer. */
  loading: boolean
}

/** Watches a group. While an argument is missing it waits. */
export declare function useStreamGroup<Name extends StreamName>(
  args?: StreamGroupArgs<Streams[Name] & { id: string }, Name>,
): StreamGroupResult<Streams[Name] & { id: string }>
export declare function useStreamGroup<TData extends { id: string }>(
  args?: StreamGroupArgs<TData>,
): StreamGroupResult<TData>

export interface StreamEventHandlerArgs<TEvent = any> {
  /** What `useStreamItem` or `useStreamGroup` returns. */
  event: StreamSubscription | null
  /** The type that a step gave to `streams.<name>.send()`; `error` is also the server's refusal. */
  type: string
  listener: (event: TEvent) => void
}

/** Listens to what steps send. `deps` are what the listener depends on, as with `useEffect`. */
export declare function useStreamEventHandler<TEvent = any>(
  args: StreamEventHandlerArgs<TEvent>,
  deps?: readonly unknown[],
): void

/** The state of the connection, such as to say that it was lost. */
export declare function useStreamState(): StreamState

export interface StreamPresenceArgs<TInfo> {
  streamName: string
  groupId: string
  /** Present at an item rather than at its group. */
  id?: string
  /** What the others are told of you. While it is missing you are not present, and are told of nobody. */
  info?: TInfo | null
}

/** Is present at a group or an item, and tells who else is, yourself included. */
export declare function useStreamPresence<TInfo = any>(args?: StreamPresenceArgs<TInfo>): Presence<TInfo>[]
