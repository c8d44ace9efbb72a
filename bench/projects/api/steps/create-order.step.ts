import type { ApiRequest, ApiRouteConfig } from 'motia'
import { z } from 'zod'

// The same as peers/order.mjs, whose schema is written in JSON Schema.
const order = z.object({
  customer: z.string().min(1),
  currency: z.enum(['EUR', 'USD', 'GBP']),
  note: z.string().max(200).optional(),
  items: z
    .array(z.object({ sku: z.string().min(1), quantity: z.number().int().min(1), price: z.number().min(0) }))
    .min(1),
})

const accepted = z.object({ status: z.string(), customer: z.string(), items: z.number().int(), total: z.number() })

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'CreateOrder',
  path: '/orders',
  method: 'POST',
  bodySchema: order,
  responseSchema: { 201: accepted },
  emits: [],
}

export const handler = async (req: ApiRequest<z.infer<typeof order>>) => {
  const { customer, items } = req.body
  const total = items.reduce((sum, item) => sum + item.quantity * item.price, 0)
  return { status: 201, body: { status: 'accepted', customer, items: items.length, total } }
}
