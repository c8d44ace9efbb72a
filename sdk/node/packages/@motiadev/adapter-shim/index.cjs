// Stands for `@motiadev/adapter-*`.
'use strict'

const { describe } = require('../../motia/descriptions.cjs')

module.exports = describe(
  'RedisStateAdapter',
  'RedisStreamAdapterManager',
  'RedisStreamAdapter',
  'RedisCronAdapter',
  'BullMQEventAdapter',
  'RabbitMQEventAdapter',
)
