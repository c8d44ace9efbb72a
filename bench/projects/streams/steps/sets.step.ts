import type { ApiRequest, ApiRouteConfig, FlowContext } from 'motia'

export const config: ApiRouteConfig = { type: 'api', name: 'Sets', path: '/sets', method: 'POST', emits: [] }

/** Sets number `from` and the next ones, in turn to `groups` groups of `items` items each. */
type Order = { group: string; groups: number; items: number; from: number; count: number; bytes: number }

/** So many bytes of JSON. `at` is the microseconds of CLOCK_MONOTONIC, which the bench reads as well. */
function payload(bytes: number) {
  const at = Number(process.hrtime.bigint() / 1000n)
  return { at, text: 'x'.repeat(bytes - `{"at":${at},"text":""}`.length) }
}

// None is awaited before the next.
export const handler = async (req: ApiRequest<Order>, { streams }: FlowContext) => {
  const { group, groups, items, from, count, bytes } = req.body
  const sets: Promise<unknown>[] = []
  for (let n = from; n < from + count; n++) {
    const item = Math.floor(n / groups) % items
    sets.push(streams.ticks.set(`${group}-${n % groups}`, `item-${item}`, payload(bytes)))
  }
  await Promise.all(sets)
  return { status: 200, body: { set: count } }
}
