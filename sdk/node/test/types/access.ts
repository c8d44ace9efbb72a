// Who may watch streams, as the documentation writes it.
import { type StreamAuthRequest as CoreStreamAuthRequest, config as coreConfig } from '@motiadev/core'
import {
  config,
  defineConfig,
  type FlowContext,
  type StreamAuthConfig,
  type StreamAuthContext,
  type StreamAuthRequest,
  type StreamConfig,
  type StreamHook,
  type StreamSubscription,
} from 'motia'
import { z } from 'zod'
import { z as z3 } from 'zod/v3'

const contextSchema = z.object({
  userId: z.string(),
  plan: z.enum(['free', 'pro']),
  projectIds: z.array(z.string()),
})
type Context = z.infer<typeof contextSchema>

declare const sessions: { get(token: string): Promise<Context | undefined> }

const tokenOfHeaderOrUrl = (request: CoreStreamAuthRequest): string | undefined => {
  const protocolHeader = request.headers['sec-websocket-protocol']
  if (protocolHeader?.includes('Authorization')) {
    const [, token] = protocolHeader.split(',')
    if (token) return token.trim()
  }
  if (!request.url) return undefined
  return new URL(request.url, 'http://localhost').searchParams.get('authToken') ?? undefined
}

export default config({
  streamAuth: {
    contextSchema,
    authenticate: async (request: CoreStreamAuthRequest) => {
      const token = tokenOfHeaderOrUrl(request)
      if (!token) return null
      const session = await sessions.get(token)
      if (!session) throw new Error(`Invalid token: ${token}`)
      return session
    },
  },
})

function tokenOf(request: StreamAuthRequest): string | undefined {
  const protocol = request.headers['sec-websocket-protocol'] as string | undefined
  const [, token] = protocol?.split(',') ?? []
  return token?.trim()
}

const tokens: Record<string, Context> = {}

export const asJsonSchema = coreConfig({
  plugins: [],
  streamAuth: {
    contextSchema: z.toJSONSchema(contextSchema),
    authenticate: (request: StreamAuthRequest) => tokens[tokenOf(request) ?? ''] ?? null,
  },
})

export const none = defineConfig({ plugins: [], adapters: {}, streamAuth: undefined, app: undefined })

/** As the types of 0.17 have it, where a header may be a list. */
const careful = ({ headers }: { headers: Record<string, string | string[] | undefined>; url?: string }) => {
  const header = headers.authorization
  return { token: Array.isArray(header) ? header[0] : header }
}

export const loose = defineConfig({ streamAuth: { contextSchema: z3.object({}), authenticate: careful } })

export const written: StreamAuthConfig<Context> = {
  // @ts-expect-error this is no Context
  authenticate: () => ({ userId: 1 }),
}

const schema = z.object({ text: z.string() })
const baseConfig = { storageType: 'default' } as const

export const byProject: StreamConfig = {
  name: 'chatMessage',
  schema,
  baseConfig,
  canAccess: ({ groupId, id }, authContext) => {
    if (!authContext) return false
    return authContext.projectIds.includes(groupId) && id !== 'secret'
  },
}

export const byPermission: StreamConfig = {
  name: 'protectedStream',
  schema,
  baseConfig,
  canAccess: (subscription, authContext) => {
    if (!authContext) return false
    return authContext.permissions?.includes('read:stream')
  },
}

export const annotated: StreamConfig = {
  name: 'annotated',
  schema,
  baseConfig,
  canAccess: (_subscription: StreamSubscription, authContext: StreamAuthContext): boolean | Promise<boolean> =>
    authContext?.permissions === 'nodejs' || false,
}

export const optional: StreamConfig = {
  name: 'optional',
  schema,
  baseConfig,
  canAccess: async ({ groupId }: StreamSubscription, authContext?: unknown) =>
    groupId.startsWith('public:') || (authContext as { token?: string })?.token === groupId,
}

export const everybody: StreamConfig = { name: 'everybody', schema, baseConfig, canAccess: () => true }

// @ts-expect-error it must say yes or no
export const unclear: StreamConfig = { name: 'unclear', schema, baseConfig, canAccess: () => 'yes' }

export const visited: StreamConfig = {
  name: 'visited',
  schema,
  baseConfig,
  onJoin: async ({ groupId, id }, authContext, { emit, state, streams, logger, traceId, signal, sync }) => {
    logger.info('came', { groupId, id, traceId, aborted: signal.aborted })
    await streams.presence.set(groupId, authContext.userId, { since: Date.now() })
    await state.update('visits', groupId, [{ type: 'increment' }])
    await sync()
    return emit({ topic: 'chat.joined', data: { groupId } })
  },
  onLeave({ groupId }) {
    console.log(groupId.length)
  },
}

const left: StreamHook = async (subscription: StreamSubscription, user: { id: string }, { streams }: FlowContext) => {
  await streams.presence.delete(subscription.groupId, user.id)
}
export const named: StreamConfig = { name: 'named', schema, baseConfig, onLeave: left }

// @ts-expect-error a function
export const unheard: StreamConfig = { name: 'unheard', schema, baseConfig, onJoin: 'greet' }
