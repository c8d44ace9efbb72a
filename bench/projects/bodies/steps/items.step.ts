import type { ApiRequest, ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'Items', path: '/items', method: 'POST', emits: [] }

export const handler = async (req: ApiRequest<{ items: unknown[] }>) => {
  return { status: 200, body: { length: req.body.items.length } }
}
