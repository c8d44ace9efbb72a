// Data goes through JSON: undefined members vanish, large numbers and nulls stay, dates become text. Topics may be enum members.
import { ApiRouteConfig, Handlers } from 'motia'
import { Topic } from '../../lib/topics'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'OddData',
  path: '/events/odd-data',
  method: 'POST',
  emits: [Topic.Noted],
}

export const handler: Handlers['OddData'] = async (_req, { emit, traceId }) => {
  const data = {
    key: 'odd-data',
    gone: undefined,
    nothing: null,
    big: 2 ** 53 - 1,
    at: new Date(0),
    nan: Number.NaN,
    emoji: '🐾',
  }
  await emit({ topic: Topic.Noted, data })
  return { status: 200, body: { traceId } }
}
