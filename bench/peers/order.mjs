// What every peer does with an order, so that they differ in nothing but the server around it.
// The same as `projects/api/steps`, whose schema is written in zod.

const text = { type: 'string', minLength: 1 }

export const orderSchema = {
  type: 'object',
  required: ['customer', 'currency', 'items'],
  properties: {
    customer: text,
    currency: { type: 'string', enum: ['EUR', 'USD', 'GBP'] },
    note: { type: 'string', maxLength: 200 },
    items: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['sku', 'quantity', 'price'],
        properties: { sku: text, quantity: { type: 'integer', minimum: 1 }, price: { type: 'number', minimum: 0 } },
      },
    },
  },
}

export const acceptedSchema = {
  type: 'object',
  required: ['status', 'customer', 'items', 'total'],
  properties: {
    status: { type: 'string' },
    customer: { type: 'string' },
    items: { type: 'integer' },
    total: { type: 'number' },
  },
}

export const helloSchema = { type: 'object', required: ['hello'], properties: { hello: { type: 'string' } } }

export function accept(order) {
  const total = order.items.reduce((sum, item) => sum + item.quantity * item.price, 0)
  return { status: 'accepted', customer: order.customer, items: order.items.length, total }
}
