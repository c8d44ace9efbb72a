import adapters from './index.cjs'

export const {
  RedisStateAdapter,
  RedisStreamAdapterManager,
  RedisStreamAdapter,
  RedisCronAdapter,
  BullMQEventAdapter,
  RabbitMQEventAdapter,
} = adapters
