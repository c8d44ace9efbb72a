import type { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'SendMessage',
  description: 'Takes a message and answers at once; the work is done by ProcessMessage',
  path: '/messages',
  method: 'POST',
  emits: ['message.sent'],
  flows: ['quick-start'],
}

export const handler: Handlers['SendMessage'] = async (req, { emit, traceId }) => {
  await emit({ topic: 'message.sent', data: { text: req.body.text } })
  return { status: 202, body: { accepted: true, traceId } }
}
