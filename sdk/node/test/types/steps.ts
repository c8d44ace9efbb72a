// Steps of a project with generated types.
import type {
  ApiMiddleware,
  ApiRouteConfig,
  CronConfig,
  EventConfig,
  Handlers,
  NoopConfig,
  StepConfig,
  StreamConfig,
} from 'motia'
import { z } from 'zod'
import { z as z3 } from 'zod/v3'

const auth =
  ({ required }: { required: boolean }): ApiMiddleware =>
  async (req, ctx, next) => {
    const token = req.headers.authorization as string
    if (required && !token) return { status: 401, body: { error: 'Unauthorized' } }
    req.user = { id: token, role: 'admin' }
    ctx.logger.info('in', { path: req.pathParams.id })
    const response = await next()
    return { ...response, headers: { ...response.headers, 'X-Request-Id': ctx.traceId } }
  }

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'CreateOrder',
  path: '/orders',
  method: 'POST',
  emits: ['order.created', { topic: 'order.audit', label: 'Audit', conditional: true }],
  flows: ['orders'],
  bodySchema: z.object({ name: z.string(), qty: z.number() }),
  responseSchema: {
    200: z.object({ ok: z.boolean() }),
    400: z3.object({ error: z3.string() }),
    404: { type: 'object' },
  },
  middleware: [auth({ required: true })],
  queryParams: [{ name: 'invite', description: 'Invite code' }],
  virtualEmits: ['sent'],
  virtualSubscribes: ['invited'],
  includeFiles: ['../../assets/template.html'],
}

export const handler: Handlers['CreateOrder'] = async (
  req,
  { emit, state, streams, logger, traceId, signal, sync },
) => {
  const { name, qty } = req.body
  if (req.user?.role !== 'admin') return { status: 400, body: { error: name } }
  const total: number = qty * 2
  await emit({ topic: 'order.created', data: { id: traceId } })
  await emit({ topic: 'order.audit', data: { any: total }, messageGroupId: 'g' })
  await emit('order.created', { id: traceId })
  const item = await streams.order.set('all', 'o1', { name, status: 'new' })
  const again = await streams.order.set('all', item.id, { ...item, status: 'done' })
  await streams.order.send({ groupId: 'all' }, { type: 'typing', data: { who: again.name } })
  const user = await state.get<{ email: string }>('users', '1')
  for (const order of await state.getGroup('orders'))
    if (order.createdAt < Date.now()) await state.delete('orders', order.id)
  logger.error('failed', { error: user?.email })
  await fetch('https://example.com', { signal })
  await sync()
  // @ts-expect-error a topic that the config does not emit
  await emit({ topic: 'order.lost', data: 1 })
  // @ts-expect-error data that the subscriber does not take
  await emit({ topic: 'order.created', data: { id: 5 } })
  // @ts-expect-error not an item of this stream
  await streams.order.set('all', 'o1', { name })
  return { status: 200, body: { ok: true }, headers: { 'Set-Cookie': ['a=1'], 'X-N': 1 } }
}

// @ts-expect-error a response that the schemas do not have
export const wrong: Handlers['CreateOrder'] = async () => ({ status: 201, body: { ok: true } })

export const onOrder: Handlers['OnOrder'] = async (input, ctx) => {
  ctx.logger.info('Processing', input)
  await ctx.emit({ topic: 'order.done', data: { id: input.id.toUpperCase() } })
}

export const tick: Handlers['Tick'] = async ({ logger, emit }) => {
  logger.warn('tick')
  await emit({ topic: 'anything', data: { at: 1 } })
}

export const spaces: Handlers['With spaces and-more'] = async (req) => ({ status: 200, body: req.body.anything })

// A step that the types know nothing of yet.
export const fresh: Handlers['NotGeneratedYet'] = async (req, { emit, streams }) => {
  await emit({ topic: 'x', data: req.body.y })
  await streams.newStream.set('g', 'i', {})
  return { status: 200, body: {} }
}

export const configs: StepConfig[] = [
  config,
  { name: 'NoEmits', type: 'api', path: '/x', method: 'GET' },
  {
    type: 'event',
    name: 'ProcessOrder',
    subscribes: ['order.created'],
    input: z.object({ orderId: z.string() }),
    emits: [],
    infrastructure: {
      handler: { ram: 2048, timeout: 60 },
      queue: { type: 'fifo', maxRetries: 3, visibilityTimeout: 90 },
    },
  },
  { type: 'cron', name: 'Daily', cron: '0 9 * * *', emits: ['report'], timezone: 'Europe/Prague' },
  { type: 'noop', name: 'Manual', virtualEmits: [{ topic: 'ok', label: 'Approved' }], virtualSubscribes: [] },
]

export const event: EventConfig = {
  type: 'event',
  name: 'E',
  subscribes: [],
  input: { type: 'object', properties: {} },
}
export const cron: CronConfig = { type: 'cron', name: 'C', cron: '0 0 * * * *' }
export const noop: NoopConfig = { type: 'noop', name: 'N', virtualEmits: ['a'], virtualSubscribes: ['b'] }

// @ts-expect-error there is no such method
export const badMethod: ApiRouteConfig = { type: 'api', name: 'B', path: '/b', method: 'get' }

export const stream: StreamConfig = {
  name: 'chat',
  schema: z.object({ text: z.string() }),
  baseConfig: { storageType: 'default' },
  canAccess: (subscription, user) => subscription.groupId === user?.id,
}
