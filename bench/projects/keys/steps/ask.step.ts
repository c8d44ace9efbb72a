import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'
import { place } from '../lib/place'

export const config: ApiRouteConfig = { type: 'api', name: 'Ask', path: '/ask', method: 'POST', emits: [] }

type Order = { operation: 'get' | 'set' | 'getGroup'; loops: number; keys: number }

// One operation after the other, on keys that are all over the place: the microseconds of one. `missing`: how many found nothing.
export const handler = async (req: ApiRequest<Order>, { state }: FlowContext) => {
  const { operation, loops, keys } = req.body
  const operations = {
    get: (n: number) => state.get(...place(n)),
    set: (n: number) => state.set(...place(n), { n }),
    // The group that the bench gave 100 keys.
    getGroup: async () => ((await state.getGroup('hundred')).length === 100 ? true : null),
  }
  const operate = operations[operation]
  let missing = 0
  const began = performance.now()
  // A prime that no number of keys divides.
  for (let at = 0; at < loops; at++) if ((await operate((at * 7919) % keys)) === null) missing += 1
  return { status: 200, body: { micros: ((performance.now() - began) * 1000) / loops, missing } }
}
