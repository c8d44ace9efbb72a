import type { ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'Hello', path: '/hello', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { hello: 'world' } })
