// The interfaces of adapters that projects write themselves, and the descriptions of those that come with Motia.
import type { BaseStreamItem, InternalStateManager, QueueConfig, StreamChannel, StreamEvent } from './index.js'

export interface StateItem {
  groupId: string
  key: string
  type: 'string' | 'number' | 'boolean' | 'object' | 'array' | 'null'
  value: unknown
}

export interface StateItemsInput {
  groupId?: string
  traceId?: string
  filter?: unknown
}

export interface StateAdapter extends InternalStateManager {
  cleanup(): Promise<void>
  keys(groupId: string): Promise<string[]>
  traceIds(): Promise<string[]>
  items(input: StateItemsInput): Promise<StateItem[]>
}

export interface StreamFilter<TData = any> {
  limit?: number
  offset?: number
  orderBy?: string
  orderDirection?: 'asc' | 'desc'
  where?: Partial<TData>
}

export type StreamQueryFilter<TData = any> = StreamFilter<TData>
export type StreamEventHandler = (event: StreamEvent<any>) => void | Promise<void>

/**
 * Where the items of a stream of custom storage are kept. Each worker makes one, so it must keep them outside of the
 * process. The engine tells those who watch; `send`, `subscribe` and `unsubscribe` are not called.
 */
export declare abstract class StreamAdapter<TData = any> {
  readonly streamName: string
  constructor(streamName: string)
  abstract get(groupId: string, id: string): Promise<BaseStreamItem<TData> | null>
  abstract set(groupId: string, id: string, data: TData): Promise<BaseStreamItem<TData>>
  abstract delete(groupId: string, id: string): Promise<BaseStreamItem<TData> | null>
  abstract getGroup(groupId: string): Promise<BaseStreamItem<TData>[]>
  send(channel: StreamChannel, event: StreamEvent<any>): Promise<void>
  subscribe(channel: StreamChannel, handler: StreamEventHandler): Promise<void>
  unsubscribe(channel: StreamChannel): Promise<void>
  /** Removes all items of a group: each of them, unless the adapter knows better. */
  clear(groupId: string): Promise<void>
  /** The items of a group that the filter asks for. Without one of the adapter's own, the engine chooses among all. */
  query(groupId: string, filter: StreamFilter<TData>): Promise<BaseStreamItem<TData>[]>
}

export interface StreamAdapterManager {
  createStream<TData>(streamName: string): StreamAdapter<TData>
  shutdown?(): Promise<void>
}

export interface Event<TData = unknown> {
  topic: string
  data: TData
  timestamp?: number
  traceId?: string
  flows?: string[]
  messageGroupId?: string
}

export interface SubscriptionHandle {
  topic: string
  id: string
  unsubscribe: () => Promise<void>
}

export interface EventAdapter {
  emit<TData>(event: Event<TData>): Promise<void>
  subscribe<TData>(
    topic: string,
    stepName: string,
    handler: (event: Event<TData>) => void | Promise<void>,
    options?: QueueConfig,
  ): Promise<SubscriptionHandle>
  unsubscribe(handle: SubscriptionHandle): Promise<void>
  shutdown(): Promise<void>
  getSubscriptionCount(topic: string): Promise<number>
  listTopics(): Promise<string[]>
}

export interface CronLock {
  jobName: string
  lockId: string
  acquiredAt: number
  expiresAt: number
  instanceId: string
}

export interface CronLockInfo {
  jobName: string
  instanceId: string
  acquiredAt: number
  expiresAt: number
}

export interface CronAdapter {
  acquireLock(jobName: string, ttl: number): Promise<CronLock | null>
  releaseLock(lock: CronLock): Promise<void>
  renewLock(lock: CronLock, ttl: number): Promise<boolean>
  isHealthy(): Promise<boolean>
  shutdown(): Promise<void>
  getActiveLocks(): Promise<CronLockInfo[]>
}

/**
 * An adapter that the engine has itself: it is described here and never run here. Its type stands for whichever
 * adapter the config asks for.
 */
export interface AdapterDescription<TOptions = Record<string, any>> {
  readonly adapter: string
  readonly options: TOptions
}

type BuiltIn<TAdapter> = { new (options?: any): AdapterDescription & TAdapter }

export declare const MemoryStateAdapter: BuiltIn<StateAdapter>
export declare const FileStateAdapter: BuiltIn<StateAdapter>
export declare const MemoryStreamAdapterManager: BuiltIn<StreamAdapterManager>
export declare const FileStreamAdapterManager: BuiltIn<StreamAdapterManager>
export declare const DefaultQueueEventAdapter: BuiltIn<EventAdapter>
export declare const DefaultCronAdapter: BuiltIn<CronAdapter>
