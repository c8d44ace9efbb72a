import type { ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Burst',
  description: 'Sets one item many times in a row',
  method: 'POST',
  path: '/burst',
  emits: [],
}

/** `{"group","id","count","send"}`: none is awaited before the next; with `send` each set is followed by a `tick` event. */
export const handler = async (req: any, { streams }: any) => {
  const { stream = 'board', group, id, count, send = false } = req.body
  const target = streams[stream]
  const started: Promise<unknown>[] = []
  for (let n = 0; n < count; n += 1) {
    started.push(target.set(group, id, { n }))
    if (send) started.push(target.send({ groupId: group, id }, { type: 'tick', data: { n } }))
  }
  await Promise.all(started)
  return { status: 200, body: { count } }
}
