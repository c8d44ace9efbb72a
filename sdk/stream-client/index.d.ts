/**
 * Types of the items of your streams, by name. Augment it, and a stream's name is enough:
 *
 * ```ts
 * declare module '@motiadev/stream-client' {
 *   interface Streams { todo: Todo }
 * }
 * stream.subscribeGroup('todo', 'inbox').getState() // Todo[]
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be augmented
export interface Streams {}

/** The name of a stream whose items' type is known. */
export type StreamName = keyof Streams & string

// ------------------------------------------------------------------------------------------------------------- messages

export interface BaseMessage {
  streamName: string
  groupId: string
  id?: string
  /** Milliseconds, with fractions. */
  timestamp: number
  /** How far the group has come; from a server that answers our hello. */
  offset?: number
}

export interface JoinMessage {
  streamName: string
  groupId: string
  id?: string
  /** The client's own name for this subscription. */
  subscriptionId: string
}

/** What a step sent with `streams.<name>.send()`. */
export interface CustomEvent {
  type: string
  data: any
}

export type StreamEvent<TData extends { id: string }> =
  | { type: 'create'; data: TData }
  | { type: 'update'; data: TData }
  | { type: 'delete'; data: TData }
  | { type: 'event'; event: CustomEvent }

export type ItemStreamEvent<TData extends { id: string }> = StreamEvent<TData> | { type: 'sync'; data: TData }
export type GroupStreamEvent<TData extends { id: string }> = StreamEvent<TData> | { type: 'sync'; data: TData[] }

export type ItemEventMessage<TData extends { id: string }> = BaseMessage & { event: ItemStreamEvent<TData> }
export type GroupEventMessage<TData extends { id: string }> = BaseMessage & { event: GroupStreamEvent<TData> }

/** What a client says. */
export type Message = { type: 'join' | 'leave'; data: JoinMessage }

export type Listener<TData> = (state: TData | null) => void
export type CustomEventListener<TData = any> = (data: TData) => void

/** Takes a listener off again. */
export type Unsubscribe = () => void

// --------------------------------------------------------------------------------------------------------------- socket

/** A socket of your own. It starts to open when it is made. */
export interface SocketAdapter {
  /** Never called: the socket opens by itself. */
  connect(): void
  /** Ends it. Nothing that it says afterwards is heard. */
  close(): void
  send(message: string): void
  isOpen(): boolean
  onMessage(callback: (message: string) => void): void
  onOpen(callback: () => void): void
  /** To be called once it is lost, or could not be opened; another one is made then. */
  onClose(callback: () => void): void
}

/** Makes a socket, now or in a while; asked for each connection anew. One that throws is tried again like any other. */
export type SocketAdapterFactory = () => SocketAdapter | Promise<SocketAdapter>

// --------------------------------------------------------------------------------------------------------------- stream

/** `reconnecting` is from the first failure or break on, until it is open again. */
export type StreamState = 'connecting' | 'open' | 'reconnecting' | 'closed'

export interface StreamOptions {
  /**
   * How long to wait before the next try, in ms: at random up to `first` (500), then up to twice as long each time, but
   * never more than `most` (30,000). A connection that lasted for 5 s starts anew.
   */
  retry?: { first?: number; most?: number }
}

export interface SubscribeOptions {
  /** What the others who are present are told of you; any JSON but `null`. Without it you are not present. */
  presence?: unknown
}

/** Watches groups and items over a connection that comes back by itself, and goes on where it was. */
export declare class Stream {
  constructor(adapterFactory: SocketAdapterFactory, options?: StreamOptions)
  /** The socket of now; none while it waits to try again. */
  get ws(): SocketAdapter | undefined
  get state(): StreamState
  onStateChange(listener: (state: StreamState) => void): Unsubscribe
  /** Connects anew, at once. */
  createSocket(): SocketAdapter | undefined
  /**
   * Says that the network may have changed: a retry that waits happens now, and an open connection is asked for a sign of
   * life. In browsers that is done for you.
   */
  wake(): void
  subscribeItem<Name extends StreamName>(
    streamName: Name,
    groupId: string,
    id: string,
    options?: SubscribeOptions,
  ): StreamItemSubscription<Streams[Name] & { id: string }>
  subscribeItem<TData extends { id: string }>(
    streamName: string,
    groupId: string,
    id: string,
    options?: SubscribeOptions,
  ): StreamItemSubscription<TData>
  /** With `sortKey` the items are in the order of that field, compared as text. */
  subscribeGroup<Name extends StreamName>(
    streamName: Name,
    groupId: string,
    sortKey?: keyof Streams[Name],
    options?: SubscribeOptions,
  ): StreamGroupSubscription<Streams[Name] & { id: string }>
  subscribeGroup<TData extends { id: string }>(
    streamName: string,
    groupId: string,
    sortKey?: keyof TData,
    options?: SubscribeOptions,
  ): StreamGroupSubscription<TData>
  /** For good: subscriptions hear nothing more. */
  close(): void
}

// --------------------------------------------------------------------------------------------------------- subscriptions

/** Somebody who is present: one for each subscription with `presence`. */
export interface Presence<TInfo = any> {
  presenceId: string
  info: TInfo
}

export declare abstract class StreamSubscription<TData = any, TEventMessage = any> {
  constructor(sub: JoinMessage, state: TData)
  readonly sub: JoinMessage
  getState(): TData
  /** Who is present, as far as you were told; nobody where you are not present yourself. */
  get presence(): Presence[]
  /** Called with the state after each change, and with each `sync`. */
  addChangeListener(listener: Listener<TData>): void
  removeChangeListener(listener: Listener<TData>): void
  /** Events that steps send; those of type `error` may also be the server's refusal of this subscription. */
  onEvent(type: string, listener: CustomEventListener): void
  offEvent(type: string, listener: CustomEventListener): void
  /** Called when this subscription is closed by `close()`. */
  onClose(listener: () => void): void
  /**
   * Called where changes were missed, so that the state jumped to how things are now. After a short break a server that
   * keeps a history sends what was missed instead.
   */
  onGap(listener: () => void): Unsubscribe
  onPresence(listener: (present: Presence[]) => void): Unsubscribe
  close(): void
  listener(message: TEventMessage, gap?: boolean): void
}

export declare class StreamItemSubscription<TData extends { id: string } = any> extends StreamSubscription<
  TData | null,
  ItemEventMessage<TData>
> {
  constructor(sub: JoinMessage)
}

export declare class StreamGroupSubscription<TData extends { id: string } = any> extends StreamSubscription<
  TData[],
  GroupEventMessage<TData>
> {
  constructor(sub: JoinMessage, sortKey?: keyof TData)
}
