import type { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Orders',
  path: '/guarded/orders',
  method: 'POST',
  emits: [],
}

export const handler: Handlers['Orders'] = async (req) => ({ status: 200, body: { step: req.body } })
