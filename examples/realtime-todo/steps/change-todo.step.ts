import type { ApiRouteConfig, Handlers } from 'motia'
import { z } from 'zod'
import { todoSchema } from './todo.stream'

const missing = z.object({ error: z.string() })

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'ChangeTodo',
  description: 'Changes what is to do, or whether it is done',
  method: 'PATCH',
  path: '/lists/:list/todos/:id',
  bodySchema: todoSchema.pick({ title: true, done: true }).partial(),
  responseSchema: { 200: todoSchema, 404: missing },
  emits: [],
  flows: ['todo'],
  validation: 'enforce',
}

export const handler: Handlers['ChangeTodo'] = async (req, { streams }) => {
  const { list, id } = req.pathParams
  if (!(await streams.todo.get(list, id))) return { status: 404, body: { error: 'there is no such todo' } }
  // One step, not a read and a write: two who change different members at a time keep both.
  const todo = await streams.todo.update(list, id, [{ type: 'merge', value: req.body }])
  return { status: 200, body: todo }
}
