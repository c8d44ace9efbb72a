// Types that projects name: handlers by config, contexts passed around, values of the packages.
import { config as coreConfig, defineConfig, type MotiaPlugin, type MotiaPluginContext } from '@motiadev/core'
import { RabbitMQEventAdapter } from '@motiadev/adapter-rabbitmq-events'
import { RedisCronAdapter } from '@motiadev/adapter-redis-cron'
import { RedisStateAdapter } from '@motiadev/adapter-redis-state'
import { RedisStreamAdapterManager } from '@motiadev/adapter-redis-streams'
import logsPlugin from '@motiadev/plugin-logs/plugin'
import {
  type ApiRequest,
  type ApiResponse,
  type ApiRouteConfig,
  type ApiRouteHandler,
  type BaseStreamItem,
  type CronHandler,
  type Emitter,
  type EventConfig,
  type EventHandler,
  type FlowContext,
  type FlowContextStateStreams,
  globalLogger,
  type InternalStateManager,
  Logger,
  type MotiaStream,
  StreamAdapter,
  type StepHandler,
  type ZodInput,
} from 'motia'
import { z } from 'zod'
import { z as z3 } from 'zod/v3'

const inputSchema = z.object({ id: z.string(), size: z.number().default(1) })
const input3 = z3.object({ id: z3.string() })

const event = { type: 'event', name: 'E', subscribes: ['a'], emits: ['b'], input: inputSchema } as const
export const onEvent: StepHandler<typeof event> = async (input, { emit }) => {
  await emit({ topic: 'b', data: input.id.length + input.size })
}

const eventOf3 = { type: 'event', name: 'E', subscribes: ['a'], input: input3 } as const
export const onEvent3: StepHandler<typeof eventOf3> = async (input) => {
  const id: string = input.id
  // @ts-expect-error not in the schema
  input.other
  id.length
}

const api = { type: 'api', name: 'A', path: '/', method: 'POST', bodySchema: inputSchema } as const
export const onRequest: StepHandler<typeof api> = async (req) => ({ status: 200, body: req.body.id.length })

const annotated: ApiRouteConfig = { type: 'api', name: 'A', path: '/', method: 'POST' }
export const loose: StepHandler<typeof annotated> = async (req, { emit }) => {
  await emit({ topic: 'any', data: req.body.whatever })
  return { status: 204, body: undefined }
}

const widened = { type: 'event', name: 'E', subscribes: ['a'] }
export const onWidened: StepHandler<typeof widened> = async (input, { logger }) => logger.info(input.any)

export const generic: EventConfig<typeof inputSchema> = {
  type: 'event',
  name: 'E',
  subscribes: ['a'],
  emits: [],
  input: inputSchema,
}
export const cast: ApiRouteConfig['bodySchema'] = z.object({}) as unknown as ZodInput

// A context of any step goes into a helper that asks for a plain one.
const helper = async (ctx: FlowContext, emit: Emitter, state: InternalStateManager) => {
  await ctx.emit({ topic: 'x', data: 1 })
  await emit({ topic: 'y', data: 2 })
  return (await state.get('g', 'k')) || []
}
export const api2: ApiRouteHandler<{ a: string }, ApiResponse<200, string>, { topic: 't'; data: number }> = async (
  req,
  ctx,
) => {
  await helper(ctx, ctx.emit, ctx.state)
  return { status: 200, body: req.body.a }
}
export const typed: EventHandler<{ n: number }, never> = async ({ n }, { emit }) => emit({ topic: 'free', data: n })
export const timed: CronHandler = async ({ logger }: FlowContext) => logger.info('x')
export const direct = async (request: ApiRequest, context: FlowContext) => {
  const { code } = request.queryParams
  return { status: 200, body: { code, who: request.user?.id, trace: context.traceId } }
}

export const item: BaseStreamItem<{ text: string }> = { id: '1', text: 'x' }
export const streams = (all: FlowContextStateStreams): MotiaStream<any> => all.order
export const logger: Logger = new Logger({ service: 'x' }).child({ user: 1 })
globalLogger.info('ready', new Error('x'))

class Memory extends StreamAdapter<{ text: string }> {
  #items = new Map<string, BaseStreamItem<{ text: string }>>()
  async get(_group: string, id: string) {
    return this.#items.get(id) ?? null
  }
  async set(_group: string, id: string, data: { text: string }) {
    const stored = { ...data, id }
    this.#items.set(id, stored)
    return stored
  }
  async delete(_group: string, id: string) {
    return this.#items.get(id) ?? null
  }
  async getGroup() {
    return [...this.#items.values()]
  }
}

function plugin(motia: MotiaPluginContext): MotiaPlugin {
  motia.registerApi({ method: 'GET', path: '/__motia/x' }, async () => ({ status: 200, body: {} }))
  return { workbench: [{ packageName: '~/plugins', position: 'top' }] }
}

export const full = coreConfig({
  plugins: [plugin, logsPlugin],
  adapters: {
    state: new RedisStateAdapter({
      host: process.env.REDIS_HOST,
      port: 6379,
      ttl: 3600,
      keyPrefix: 'x:',
      socket: { connectTimeout: 1, reconnectStrategy: (retries) => (retries > 20 ? new Error('no') : retries * 50) },
    }),
    streams: new RedisStreamAdapterManager({ url: 'redis://x' }, { keyPrefix: 'y' }),
    events: new RabbitMQEventAdapter({ url: 'amqp://x', exchangeName: 'e', exchangeType: 'topic', prefetch: 10 }),
    cron: new RedisCronAdapter({ host: 'x', lockTTL: 1, instanceId: process.env.INSTANCE_ID }),
  },
})
export default defineConfig({
  redis: { useMemoryServer: false, host: 'x', port: 1 },
  streamAuth: {
    contextSchema: z.object({ id: z.string() }),
    authenticate: async ({ headers }) => ({ id: String(headers.cookie) }),
  },
  app: (app) => app.use('/x'),
  streamsFactory: () => new Memory('m'),
})
