import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'
import { nextStart } from '../lib/tally'

export const config: ApiRouteConfig = { type: 'api', name: 'Latency', path: '/latency', method: 'POST', emits: [] }

// One event at a time, with a pause before each: from the call of emit to the first line of the handler, in microseconds.
export const handler = async (req: ApiRequest<{ count: number; pause: number }>, { emit }: FlowContext) => {
  const { count, pause } = req.body
  const micros: number[] = []
  for (let n = 0; n < count; n++) {
    await new Promise((resolve) => setTimeout(resolve, pause))
    const started = nextStart()
    const began = performance.now()
    await emit({ topic: 'things.standard', data: { n } })
    micros.push(Math.round(((await started) - began) * 1000))
  }
  return { status: 200, body: { micros } }
}
