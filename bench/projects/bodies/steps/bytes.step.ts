import type { ApiRequest, ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'Bytes', path: '/bytes', method: 'POST', emits: [] }

export const handler = async (req: ApiRequest<Buffer>) => ({ status: 200, body: { length: req.body.length } })
