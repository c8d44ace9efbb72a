import { z } from 'zod'
import { orders } from '../lib/orders.js'
import { charge } from '../lib/payments.js'

export const config = {
  type: 'event',
  name: 'ProcessPayment',
  description: 'Charges the customer. A failure is tried again twice; after that the event is a dead letter',
  subscribes: ['order.created'],
  input: z.object({ orderId: z.string().uuid() }),
  emits: [{ topic: 'payment.completed', label: 'paid' }],
  flows: ['orders'],
  infrastructure: {
    handler: { timeout: 10 },
    queue: { type: 'fifo', maxRetries: 2, visibilityTimeout: 30 },
  },
}

export const handler = async ({ orderId }, { state, emit, logger }) => {
  const order = await orders(state).get(orderId)
  if (!order) throw new Error(`there is no order ${orderId}`)

  // After a crash an event comes again: what was done before is not done twice, what was not is done now.
  if (order.status === 'pending') {
    const attempts = (await state.get('payment-attempts', orderId)) ?? 0
    await state.set('payment-attempts', orderId, attempts + 1)
    order.receipt = await charge({ key: orderId, amount: order.total })
    order.status = 'paid'
    await orders(state).save(order)
    logger.info('Payment completed', { orderId, receipt: order.receipt })
  }
  await emit({ topic: 'payment.completed', data: { orderId } })
}
