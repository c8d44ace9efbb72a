import type { ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Do',
  description: 'One operation on a stream',
  method: 'POST',
  path: '/do',
  emits: [],
}

/** `{"op":"set|get|delete|send|fill","stream","group","id","data","event"}`; `stream` is `board` where it is not named. */
export const handler = async (req: any, { streams }: any) => {
  const { op, stream = 'board', group, id, data, event, count } = req.body
  const target = streams[stream]
  if (op === 'set') return answer(await target.set(group, id, data))
  if (op === 'get') return answer(await target.get(group, id))
  if (op === 'delete') return answer(await target.delete(group, id))
  if (op === 'send')
    return answer(await target.send(id === undefined ? { groupId: group } : { groupId: group, id }, event))
  if (op === 'fill') {
    const pad = 'x'.repeat(data?.pad ?? 0)
    for (let n = 0; n < count; n += 1) await target.set(group, `i${n}`, { n, pad, _createdAt: 1000 + n })
    return answer(count)
  }
  return { status: 400, body: { error: `There is no op ${op}` } }
}

function answer(result: unknown) {
  return { status: 200, body: { result: result ?? null } }
}
