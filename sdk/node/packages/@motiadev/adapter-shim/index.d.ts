import type {
  AdapterDescription,
  CronAdapter,
  EventAdapter,
  StateAdapter,
  StreamAdapterManager,
} from '../../motia/index.js'

export interface RedisConnection {
  host?: string
  port?: number
  username?: string
  password?: string
  database?: number
  url?: string
  socket?: {
    host?: string
    port?: number
    tls?: boolean
    connectTimeout?: number
    reconnectStrategy?: number | false | ((retries: number) => number | Error)
    [option: string]: unknown
  }
  [option: string]: unknown
}

export interface RedisStateOptions {
  keyPrefix?: string
  /** Seconds. */
  ttl?: number
}

export interface RedisStreamOptions {
  keyPrefix?: string
}

export interface RedisCronOptions {
  keyPrefix?: string
  /** Milliseconds. */
  lockTTL?: number
  lockRetryDelay?: number
  lockRetryAttempts?: number
  instanceId?: string
  enableHealthCheck?: boolean
}

export interface RabbitMQOptions {
  url: string
  exchangeName: string
  exchangeType: 'direct' | 'topic' | 'fanout' | 'headers'
  durable?: boolean
  autoDelete?: boolean
  connectionTimeout?: number
  reconnectDelay?: number
  prefetch?: number
  deadLetterExchange?: string
  deadLetterRoutingKey?: string
}

export interface BullMQOptions {
  connection?: any
  concurrency?: number
  prefix?: string
  defaultJobOptions?: Record<string, unknown>
  dlq?: { enabled?: boolean; ttl?: number; suffix?: string }
  [option: string]: unknown
}

type Description<TAdapter, TConnection, TOptions> = {
  /** `connection` may be a client that exists already: its options count. */
  new (connection?: TConnection & TOptions, options?: TOptions): AdapterDescription & TAdapter
}

export declare const RedisStateAdapter: Description<StateAdapter, RedisConnection, RedisStateOptions>
export declare const RedisStreamAdapterManager: Description<StreamAdapterManager, RedisConnection, RedisStreamOptions>
export declare const RedisStreamAdapter: Description<StreamAdapterManager, RedisConnection, RedisStreamOptions>
export declare const RedisCronAdapter: Description<CronAdapter, RedisConnection, RedisCronOptions>
export declare const RabbitMQEventAdapter: Description<EventAdapter, RabbitMQOptions, Partial<RabbitMQOptions>>
export declare const BullMQEventAdapter: Description<EventAdapter, BullMQOptions, BullMQOptions>
