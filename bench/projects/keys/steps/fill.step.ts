import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'
import { place } from '../lib/place'

export const config: ApiRouteConfig = { type: 'api', name: 'Fill', path: '/fill', method: 'POST', emits: [] }

type Order = { from: number; to: number; group?: string }

// Sets the values from `from` up to, but without, `to`: all in one group, or each where `place` says.
export const handler = async (req: ApiRequest<Order>, { state }: FlowContext) => {
  const { from, to, group } = req.body
  const set = (n: number) => (group ? state.set(group, `key-${n}`, { n }) : state.set(...place(n), { n }))
  await Promise.all(Array.from({ length: to - from }, (_, at) => set(from + at)))
  return { status: 200, body: {} }
}
