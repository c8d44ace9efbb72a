import type { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'RemoveTodo',
  description: 'Removes something from a list',
  method: 'DELETE',
  path: '/lists/:list/todos/:id',
  emits: [],
  flows: ['todo'],
}

export const handler: Handlers['RemoveTodo'] = async (req, { streams }) => {
  await streams.todo.delete(req.pathParams.list, req.pathParams.id)
  return { status: 204 }
}
