// Starts a step that emits to itself (countdown.step.ts).
import { ApiRouteConfig, Handlers } from 'motia'
import { Topic } from '../../lib/topics'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'StartCountdown',
  path: '/events/countdown',
  method: 'POST',
  emits: [Topic.Countdown],
}

export const handler: Handlers['StartCountdown'] = async (_req, { emit, traceId }) => {
  await emit({ topic: Topic.Countdown, data: { from: 3, left: 3 } })
  return { status: 200, body: { traceId } }
}
