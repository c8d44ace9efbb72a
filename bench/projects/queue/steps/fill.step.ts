import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'Fill', path: '/fill', method: 'POST', emits: [] }

// Events that nobody handles while the bench runs (later.step.ts). Answers once they are stored.
export const handler = async (req: ApiRequest<{ count: number }>, { emit }: FlowContext) => {
  const began = performance.now()
  const events = Array.from({ length: req.body.count }, (_, n) => emit({ topic: 'things.later', data: { n } }))
  await Promise.all(events)
  return { status: 200, body: { emitted: performance.now() - began } }
}
