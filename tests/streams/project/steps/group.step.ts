import type { ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Group',
  description: 'All items of a group',
  method: 'GET',
  path: '/group/:group',
  emits: [],
}

export const handler = async (req: any, { streams }: any) => {
  const items = await streams.board.getGroup(req.pathParams.group)
  return { status: 200, body: items.map(({ __motia, ...item }: any) => item) }
}
