import { z } from 'zod'
import { orders } from '../lib/orders.js'

export const config = {
  type: 'event',
  name: 'CompleteOrder',
  description: 'Closes an order that was paid',
  subscribes: ['payment.completed'],
  input: z.object({ orderId: z.string().uuid() }),
  emits: [],
  flows: ['orders'],
}

export const handler = async ({ orderId }, { state, logger, traceId }) => {
  const order = await orders(state).get(orderId)
  // The trace of the request that created the order runs through all of its steps.
  await orders(state).save({ ...order, status: 'completed', completedBy: traceId })
  logger.info('Order completed', { orderId })
}
