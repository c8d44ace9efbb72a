import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'
import { end, expectEvents } from '../lib/tally'

export const config: ApiRouteConfig = { type: 'api', name: 'Emit', path: '/emit', method: 'POST', emits: [] }

/** `each`: one by one, awaited. `groups`: as many message groups, in turn; 0 is none. */
type Order = { topic: string; count: number; each: boolean; groups: number }

// Answers once all events have been handled. `emitted`: the milliseconds until all were stored.
export const handler = async (req: ApiRequest<Order>, { emit }: FlowContext) => {
  const { topic, count, each, groups } = req.body
  const event = (n: number) => ({ topic, data: { n }, ...(groups > 0 && { messageGroupId: `group-${n % groups}` }) })
  expectEvents(count)
  const began = performance.now()
  if (each) for (let n = 0; n < count; n++) await emit(event(n))
  else await Promise.all(Array.from({ length: count }, (_, n) => emit(event(n))))
  const emitted = performance.now() - began
  return { status: 200, body: { emitted, handled: await end() } }
}
