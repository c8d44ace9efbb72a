import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'GetChat',
  method: 'GET',
  path: '/chat/:id',
  emits: [],
  flows: ['chat'],
}

export const handler = async (req: ApiRequest, { state }: FlowContext) => {
  const chat = await state.get('chats', req.pathParams.id)
  return chat === null ? { status: 404, body: { error: 'no such chat' } } : { status: 200, body: chat }
}
