import { orders } from '../lib/orders.js'

export const config = {
  type: 'api',
  name: 'GetOrder',
  description: 'One order, and how often its payment was tried',
  path: '/orders/:id',
  method: 'GET',
  emits: [],
  flows: ['orders'],
}

export const handler = async (req, { state }) => {
  const order = await orders(state).get(req.pathParams.id)
  if (!order) return { status: 404, body: { error: 'no such order' } }
  const attempts = (await state.get('payment-attempts', order.id)) ?? 0
  return { status: 200, body: { ...order, attempts } }
}
