import type { ApiRouteConfig, Handlers } from 'motia'
import { z } from 'zod'
import { todoSchema } from './todo.stream'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'AddTodo',
  description: 'Adds something to do to a list',
  method: 'POST',
  path: '/lists/:list/todos',
  bodySchema: todoSchema.pick({ title: true }),
  responseSchema: { 201: todoSchema },
  emits: [],
  flows: ['todo'],
  validation: 'enforce',
}

export const handler: Handlers['AddTodo'] = async (req, { streams, logger }) => {
  const id = crypto.randomUUID()
  const { title } = z.object({ title: z.string() }).parse(req.body)
  const todo = await streams.todo.set(req.pathParams.list, id, { id, title, done: false, addedAt: Date.now() })
  logger.info('added', { list: req.pathParams.list, title })
  return { status: 201, body: todo }
}
