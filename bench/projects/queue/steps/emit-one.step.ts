import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'EmitOne', path: '/emit/one', method: 'POST', emits: [] }

export const handler = async (_req: ApiRequest, { emit }: FlowContext) => {
  await emit({ topic: 'things.standard', data: { n: 0 } })
  return { status: 200, body: {} }
}
