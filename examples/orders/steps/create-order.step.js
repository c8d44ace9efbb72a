import { z } from 'zod'
import { orders } from '../lib/orders.js'

const bodySchema = z.object({
  customer: z.string().min(1),
  items: z.array(z.string()).min(1, 'an order needs an item'),
  total: z.number().positive(),
})

export const config = {
  type: 'api',
  name: 'CreateOrder',
  description: 'Takes an order and has it paid in the background',
  path: '/orders',
  method: 'POST',
  bodySchema,
  responseSchema: {
    201: bodySchema.extend({ id: z.string().uuid(), status: z.literal('pending'), createdAt: z.string().datetime() }),
    400: z.object({ error: z.string(), details: z.record(z.array(z.string())) }),
  },
  emits: ['order.created'],
  flows: ['orders'],
}

export const handler = async (req, { state, emit, logger }) => {
  const { data, error } = bodySchema.safeParse(req.body)
  if (error) return { status: 400, body: { error: 'not an order', details: error.flatten().fieldErrors } }

  const order = { id: crypto.randomUUID(), ...data, status: 'pending', createdAt: new Date().toISOString() }
  await orders(state).save(order)
  // Payments of one customer run one after the other, those of others beside them: the group decides (see ProcessPayment).
  await emit({ topic: 'order.created', data: { orderId: order.id }, messageGroupId: order.customer })
  logger.info('Order created', { orderId: order.id, total: order.total })
  return { status: 201, body: order }
}
