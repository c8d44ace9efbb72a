import type { ApiRouteConfig } from 'motia'
import { end } from '../lib/tally'

export const config: ApiRouteConfig = { type: 'api', name: 'End', path: '/end', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { handled: await end() } })
