// The types of Motia for step files. `Handlers` and `FlowContextStateStreams` are filled in by the generated
// `types.d.ts`; until then every name is there, loosely typed.

import type { StreamAdapter } from './adapters.js'

// ------------------------------------------------------------------------------------------------------------- schemas

/** A schema of zod 3, of zod 4 or of another library with Standard Schema. */
export type ZodInput =
  | { readonly _output: any; readonly _def: any }
  | { readonly _zod: { readonly output: any } }
  | StandardSchema<any>

export interface StandardSchema<TOutput> {
  readonly '~standard': { readonly version: 1; readonly types?: { readonly output: TOutput } | undefined }
}

/** A JSON Schema written by hand. */
export interface JsonSchema {
  type?: string | readonly string[]
  properties?: Record<string, any>
  required?: readonly string[]
  items?: any
  [keyword: string]: unknown
}

export type StepSchemaInput = ZodInput | JsonSchema

/** What data of a schema looks like; `any` for a JSON Schema. */
export type InferSchema<TSchema> = TSchema extends { readonly _zod: { readonly output: infer TOutput } }
  ? TOutput
  : TSchema extends { readonly _output: infer TOutput }
    ? TOutput
    : TSchema extends StandardSchema<infer TOutput>
      ? TOutput
      : any

// ------------------------------------------------------------------------------------------------------------- configs

/** A topic, with how the Workbench shows it. */
export type Emit = string | { topic: string; label?: string; conditional?: boolean }

export type ApiRouteMethod = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS' | 'HEAD'

export interface QueryParam {
  name: string
  description?: string
}

/**
 * What becomes of data that does not match `bodySchema` or `input`. `warn`: it is handled, and what is wrong is logged
 * once. `enforce`: a request gets 400, an event becomes a dead letter. `off`: nothing.
 */
export type Validation = 'warn' | 'enforce' | 'off'

interface StepBase {
  name: string
  description?: string
  /** Topics that the Workbench shows and nothing emits. */
  virtualEmits?: readonly Emit[]
  /** Topics that the Workbench shows and nothing subscribes to. */
  virtualSubscribes?: readonly string[]
  flows?: readonly string[]
  /** Files that belong to the step: globs, relative to it. */
  includeFiles?: readonly string[]
}

export interface ApiRouteConfig extends StepBase {
  type: 'api'
  path: string
  method: ApiRouteMethod
  emits?: readonly Emit[]
  middleware?: readonly ApiMiddleware<any, any, any>[]
  queryParams?: readonly QueryParam[]
  bodySchema?: StepSchemaInput
  /** What becomes of a body that does not match `bodySchema`; as in motia.config by default. */
  validation?: Validation
  /** By status. */
  responseSchema?: Record<number, StepSchemaInput>
}

export interface EventConfig<TInput = any> extends StepBase {
  type: 'event'
  subscribes: readonly string[]
  emits?: readonly Emit[]
  input?: TInput | JsonSchema
  /** What becomes of data that does not match `input`; as in motia.config by default. */
  validation?: Validation
  infrastructure?: Partial<InfrastructureConfig>
}

export interface CronConfig extends StepBase {
  type: 'cron'
  /** Five fields, or six with seconds first. */
  cron: string
  emits?: readonly Emit[]
  /** An IANA time zone; that of the process otherwise. */
  timezone?: string
  /** What becomes of an instant that comes while the run before has not ended. `skip` by default, which is recorded. */
  overlap?: 'skip' | 'allow'
  /** How far back instants are run later that passed while no engine ran; `true` is a day. None by default. */
  catchUp?: boolean | Length
}

export interface NoopConfig extends StepBase {
  type: 'noop'
  virtualEmits: readonly Emit[]
  virtualSubscribes: readonly string[]
}

export type StepConfig = ApiRouteConfig | EventConfig | CronConfig | NoopConfig

export interface HandlerConfig {
  /** MB. */
  ram: number
  cpu?: number
  /** Seconds. */
  timeout: number
}

export interface QueueConfig {
  type: 'fifo' | 'standard'
  maxRetries: number
  /** Seconds. */
  visibilityTimeout: number
  delaySeconds?: number
  /** Deliveries of the step that run at a time: 10 by default. */
  concurrency?: number
  /** Of a standard queue: deliveries of one `messageGroupId` that run at a time. */
  groupConcurrency?: number
  /** How long a failed delivery waits: `exponential` from 1 s to 5 min by default. `delay` and `max` in seconds. */
  backoff?: 'exponential' | 'fixed' | { type?: 'exponential' | 'fixed'; delay?: Length; max?: Length }
}

export interface InfrastructureConfig {
  handler: Partial<HandlerConfig>
  queue: Partial<QueueConfig>
}

// ------------------------------------------------------------------------------------------------------------ handlers

export interface ApiRequest<TBody = unknown> {
  pathParams: Record<string, string>
  queryParams: Record<string, string | string[]>
  body: TBody
  headers: Record<string, string | string[]>
  /** The exact bytes: a string where they are text, otherwise a Buffer. */
  rawBody?: string | Buffer
}

export interface ApiResponse<TStatus extends number = number, TBody = any> {
  status: TStatus
  headers?: Record<string, string | number | boolean | string[]>
  body: TBody
}

/**
 * A body that is sent bit by bit, each chunk at once: a web stream, a Node stream, or what an async generator yields.
 * A chunk is text or bytes. `ApiResponse<200, StreamBody>`
 */
export type StreamBody = ReadableStream<string | Uint8Array> | AsyncIterable<string | Uint8Array>

export type ApiRouteHandler<TRequestBody = unknown, TResponse = unknown, TEmitData = never> = (
  req: ApiRequest<TRequestBody>,
  ctx: FlowContext<TEmitData>,
) => Promise<TResponse>

export type EventHandler<TInput = any, TEmitData = never> = (
  input: TInput,
  ctx: FlowContext<TEmitData>,
) => Promise<void>

export type CronHandler<TEmitData = never> = (ctx: FlowContext<TEmitData>) => Promise<void>

export type ApiMiddleware<TRequestBody = any, TEmitData = any, TResponseBody = any> = (
  req: ApiRequest<TRequestBody>,
  ctx: FlowContext<TEmitData>,
  next: () => Promise<ApiResponse<number, TResponseBody>>,
) => Promise<ApiResponse<number, TResponseBody>>

/** The handler that fits a config: `const handler: StepHandler<typeof config>`. */
export type StepHandler<TConfig> = TConfig extends { type: 'api' }
  ? ApiRouteHandler<SchemaOf<TConfig, 'bodySchema'>, ApiResponse, any>
  : TConfig extends { type: 'event' }
    ? EventHandler<SchemaOf<TConfig, 'input'>, any>
    : TConfig extends { type: 'cron' }
      ? CronHandler<any>
      : (...args: any[]) => Promise<any>

type SchemaOf<TConfig, TKey extends string> = TConfig extends { readonly [key in TKey]: infer TSchema }
  ? InferSchema<TSchema>
  : any

/** By step name. Generated types take the place of this one. */
export interface Handlers {
  [stepName: string]: (...args: any[]) => any
}

// ------------------------------------------------------------------------------------------------------------- context

export interface FlowContext<TEmitData = never> {
  traceId: string
  /** The call's W3C trace context: send it along as the `traceparent` header of requests to other services. */
  traceparent: string
  flows?: string[]
  logger: Logger
  state: InternalStateManager
  streams: FlowContextStateStreams
  /** Resolves when the event is stored. */
  // biome-ignore lint/suspicious/noConfusingVoidType: `return emit(…)` stays right in handlers that are typed to return nothing
  emit(event: EmitEvent<TEmitData>): Promise<void & EmittedEvent>
  // biome-ignore lint/suspicious/noConfusingVoidType: `return emit(…)` stays right in handlers that are typed to return nothing
  emit(topic: string, data?: unknown): Promise<void & EmittedEvent>
  events: {
    /** Takes an event back by the `id` that `emit` gave: `true` if anything of it still waited. What runs already goes on. */
    cancel(id: string): Promise<boolean>
  }
  /** Aborted when the call times out, its client goes away, or the server stops. */
  signal: AbortSignal
  /** Resolves when everything that this call wrote would survive a power cut. */
  sync(): Promise<void>
}

export type Emitter<TEmitData = any> = FlowContext<TEmitData>['emit']

/** A length of time: a number of seconds, or a text such as `'90s'`, `'15m'`, `'12h'` or `'30d'`. */
export type Length = number | string

/** How an event is delivered. */
export interface EmitOptions {
  /** Orders the event in fifo queues, and counts it where a queue limits its groups. */
  messageGroupId?: string
  /** Deliver it after this time. Takes the place of the subscribers' `delaySeconds`. */
  delay?: Length
  /** Deliver it at this time: a Date, milliseconds since 1970, or a text such as `'2026-11-25T09:00:00Z'`. */
  at?: Date | number | string
  /** -100 to 100. Of the deliveries that are due, those with the higher one come first; not in fifo queues. */
  priority?: number
  /** Emits it only once: while the key is remembered (`retention.idempotencyKeys`), `emit` resolves with the first event. */
  idempotencyKey?: string
}

/** An event that was emitted. */
export interface EmittedEvent {
  /** Names it, for `events.cancel` of any handler. */
  readonly id: string
  /** It had been emitted before, under the same idempotency key. */
  readonly repeated: boolean
  /** Takes it back: `true` if anything of it still waited. */
  cancel(): Promise<boolean>
}

/** `never` stands for topics whose data nobody has described. */
type EmitEvent<TEmitData> = [TEmitData] extends [never]
  ? { topic: string; data?: any } & EmitOptions
  : TEmitData extends { topic: infer TTopic; data: infer TData }
    ? Omit<TEmitData, 'data'> & { topic: TTopic; data: [TData] extends [never] ? any : TData } & EmitOptions
    : TEmitData

export interface InternalStateManager {
  /** The value, or null. */
  get<T = any>(groupId: string, key: string): Promise<T | null>
  set<T = any>(groupId: string, key: string, value: T, options?: StateOptions): Promise<T>
  /** The value that was there, or null. */
  delete<T = any>(groupId: string, key: string): Promise<T | null>
  getGroup<T = any>(groupId: string): Promise<T[]>
  clear(groupId: string): Promise<void>
  /** The value with its revision, or null. */
  entry<T = any>(groupId: string, key: string): Promise<StateEntry<T> | null>
  /** Stores the value only if its revision is still this one; with `null`, only if there is no value. */
  setIfRevision<T = any>(
    groupId: string,
    key: string,
    value: T,
    revision: number | null,
    options?: StateOptions,
  ): Promise<StateWrite>
  /** Makes all changes as one step, or none of them, and resolves with the value then. Two updates never lose one another. */
  update<T = any>(groupId: string, key: string, changes: readonly StateChange[]): Promise<T | null>
  /** The keys of a group, in the order in which they were first set. */
  listKeys(groupId: string): Promise<string[]>
  /** The groups that hold a value. */
  listGroups(): Promise<string[]>
}

export interface StateOptions {
  /** The value goes by itself after this time. */
  ttl?: Length
}

export interface StateEntry<T = any> {
  value: T
  /** Which write of the key it is. */
  revision: number
  /** When it goes by itself, in milliseconds since 1970. */
  expires?: number
}

export interface StateWrite {
  written: boolean
  /** That of the value that is there now; null if there is none. */
  revision: number | null
}

/** `'a.b'` or `['a', 'b', 0]`: the way to a member; the whole value without it. */
export type StatePath = string | readonly (string | number)[]

export type StateChange =
  | { type: 'set'; path?: StatePath; value: unknown }
  /** Puts the members of `value` into the object there. */
  | { type: 'merge'; path?: StatePath; value: object }
  | { type: 'increment' | 'decrement'; path?: StatePath; by?: number }
  /** Puts `value` at the end of the list there. */
  | { type: 'append'; path?: StatePath; value: unknown }
  | { type: 'remove'; path?: StatePath }

/** By stream name. Generated types take the place of this one. */
export interface FlowContextStateStreams {
  [streamName: string]: MotiaStream<any>
}

export type BaseStreamItem<TData = unknown> = TData & { id: string }

export interface StreamChannel {
  groupId: string
  id?: string
}

export interface StreamEvent<TData = unknown> {
  type: string
  data: TData
}

/** Which items of a group, in which order, and how many. */
export interface StreamQuery<TItem = any> {
  /** What the items must be like, all of it. A value that may be undefined is a mistake: it would be no condition. */
  where?: StreamWhere<TItem>
  /** `'due'` or `'-due'`, the largest first; of several, the later ones count among equals. Without it: as in `getGroup`. */
  order?: StreamOrder<TItem> | readonly StreamOrder<TItem>[]
  limit?: number
  /** How many to leave out before the first. */
  offset?: number
}

/** By member, or by the way to one further in: `{ done: false, due: { lt: 5 }, 'by.name': 'ada' }`. */
export type StreamWhere<TItem = any> = {
  [TMember in StreamMember<TItem>]?: StreamCondition<ValueOf<TItem, TMember>>
} & {
  [TPath in StreamPath<TItem>]?: StreamCondition<any>
}

export type StreamOrder<TItem = any> =
  | StreamMember<TItem>
  | StreamPath<TItem>
  | `-${StreamMember<TItem>}`
  | `-${StreamPath<TItem>}`

/** The value that it must be, or tests that must all hold. An object to compare with goes into `eq`. */
export type StreamCondition<TValue = any> = Plain<TValue> | null | StreamTests<TValue>

/** What an item does not have is null. Only what is of one kind, two numbers or two texts, is less or greater. */
export interface StreamTests<TValue = any> {
  eq?: TValue | null
  ne?: TValue | null
  lt?: TValue
  lte?: TValue
  gt?: TValue
  gte?: TValue
  in?: readonly (TValue | null)[]
  exists?: boolean
}

/** `_createdAt`: when the item was first set, in milliseconds since 1970. */
type StreamMember<TItem> = (TItem extends unknown ? keyof TItem & string : never) | '_createdAt'
type StreamPath<TItem> = `${StreamMember<TItem>}.${string}`
type ValueOf<TItem, TMember extends string> = TItem extends unknown
  ? TMember extends keyof TItem
    ? unknown extends TItem[TMember]
      ? any
      : NonNullable<TItem[TMember]>
    : TMember extends '_createdAt'
      ? number
      : never
  : never
type Plain<TValue> = TValue extends object ? Extract<TValue, string | number | boolean | readonly unknown[]> : TValue

export interface MotiaStream<TData> {
  get(groupId: string, id: string): Promise<BaseStreamItem<TData> | null>
  set(groupId: string, id: string, data: TData): Promise<BaseStreamItem<TData>>
  delete(groupId: string, id: string): Promise<BaseStreamItem<TData> | null>
  /**
   * Makes all changes as one step, or none of them, and resolves with the item then; null if nothing is left of it. Two
   * updates never lose one another. `update('inbox', id, [{ type: 'increment', path: 'likes' }])`
   */
  update(groupId: string, id: string, changes: readonly StateChange[]): Promise<BaseStreamItem<TData> | null>
  getGroup(groupId: string): Promise<BaseStreamItem<TData>[]>
  /** The items of a group that the query asks for. `query('inbox', { where: { done: false }, order: '-due', limit: 10 })` */
  query(groupId: string, query?: StreamQuery<BaseStreamItem<TData>> | null): Promise<BaseStreamItem<TData>[]>
  /** Removes all items of a group and resolves with how many there were. Watchers are told of each as of a `delete`. */
  clear(groupId: string): Promise<number>
  /** An event that is not stored. */
  send<T>(channel: StreamChannel, event: StreamEvent<T>): Promise<void>
}

export type LogListener = (level: string, message: string, details?: unknown) => void

export declare class Logger {
  constructor(fields?: Record<string, unknown>)
  debug(message: unknown, details?: unknown): void
  info(message: unknown, details?: unknown): void
  warn(message: unknown, details?: unknown): void
  error(message: unknown, details?: unknown): void
  log(message: unknown, details?: unknown): void
  child(fields: Record<string, unknown>): Logger
  addListener(listener: LogListener): void
}

export declare const globalLogger: Logger

// ------------------------------------------------------------------------------------------------------------- streams

/** What a client wants to watch: one item of a group, or all of them. */
export interface StreamSubscription {
  groupId: string
  id?: string
}

/** What `streamAuth.authenticate` returns. Generated from its `contextSchema`. */
export interface StreamAuthContext {
  [key: string]: any
}

export interface StreamConfig {
  name: string
  schema: StepSchemaInput
  /** What becomes of an item that does not match `schema`; as in motia.config by default. */
  validation?: Validation
  /** Where the items are; by default, in Motia. */
  baseConfig?: StreamStorage
  /**
   * Whether a client may watch. `authContext` is what `streamAuth.authenticate` of motia.config returned, null where that
   * is nothing. Without it everybody may; if it throws, nobody.
   */
  canAccess?: (subscription: StreamSubscription, authContext: any) => boolean | Promise<boolean>
  /** Somebody begins to watch. What it returns is dropped. */
  onJoin?: StreamHook
  /** Somebody watches no more. */
  onLeave?: StreamHook
}

/** Where the items are kept: in Motia's own store, or where the adapter that `factory` makes keeps them. */
export type StreamStorage =
  | { storageType: 'default' }
  | {
      storageType: 'custom'
      factory: (streamName: string) => StreamAdapter<any> | Promise<StreamAdapter<any>>
    }

/** Who comes or goes: what they watch, who they are (see `canAccess`), and the context that a handler gets. */
export type StreamHook = (subscription: StreamSubscription, authContext: any, ctx: FlowContext<any>) => unknown

/** The request with which a client opens its connection. */
export interface StreamAuthRequest {
  /** Names in lower case; repeated ones are joined by `, `. */
  headers: Record<string, string | undefined>
  /** Path and query as received: `new URL(request.url, 'http://localhost')`. */
  url?: string
}

export interface StreamAuthConfig<TContext = any> {
  /** What the context looks like. */
  contextSchema?: StepSchemaInput
  /** Who the client is; null if nobody in particular. If it throws, the client gets 401. */
  authenticate: (request: StreamAuthRequest) => TContext | null | Promise<TContext | null>
}

// Interfaces that projects augment stay in this file: `declare module 'motia'` reaches no further.
export * from './adapters.js'
export * from './config.js'
