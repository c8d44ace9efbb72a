// A topic that nobody subscribes to. `topic`s may be objects, with what the Workbench draws.
import { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Unsubscribed',
  path: '/events/unsubscribed',
  method: 'POST',
  emits: [{ topic: 'dialects.nobody-listens', label: 'into the void', conditional: true }],
}

export const handler: Handlers['Unsubscribed'] = async (_req, { emit }) => {
  await emit({ topic: 'dialects.nobody-listens', data: {} })
  return { status: 200, body: { ok: true } }
}
