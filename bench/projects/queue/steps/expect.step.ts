import type { ApiRequest, ApiRouteConfig } from 'motia'
import { expectEvents } from '../lib/tally'

export const config: ApiRouteConfig = { type: 'api', name: 'Expect', path: '/expect', method: 'POST', emits: [] }

// Before many requests emit one event each: GET /end answers once all have been handled.
export const handler = async (req: ApiRequest<{ count: number }>) => {
  expectEvents(req.body.count)
  return { status: 200, body: {} }
}
