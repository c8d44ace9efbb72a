// The knobs of motia.config, and those of steps.
import { type ApiRouteConfig, type CorsConfig, defineConfig, type EventConfig, type Validation } from 'motia'

const cors: CorsConfig = {
  origin: ['https://app.example.com', 'https://*.preview.example.com'],
  methods: ['GET', 'POST'],
  allowedHeaders: 'authorization, content-type',
  exposedHeaders: ['x-total'],
  credentials: true,
  maxAge: 600,
  privateNetwork: true,
}

export default defineConfig({
  durability: 'os',
  bodyLimit: '20mb',
  timeouts: { import: 60, api: 300, idle: 300, event: 900 },
  shutdownTimeout: 8,
  standby: false,
  cors,
  static: { '/': 'public', '/app': { folder: 'dist', fallback: 'index.html' } },
  validation: 'enforce',
})

export const shorts = [
  defineConfig({ cors: false, bodyLimit: 1024 }),
  defineConfig({ cors: { origin: '*', headers: 'x-own' } }),
  defineConfig({ cors: { origin: false } }),
]

// @ts-expect-error there is no such mode
defineConfig({ validation: 'strict' })
// @ts-expect-error a function cannot be used
defineConfig({ cors: { origin: () => true } })
// @ts-expect-error nor can a regular expression
defineConfig({ cors: { origin: /example/ } })
// @ts-expect-error an object of paths
defineConfig({ static: 'public' })
// @ts-expect-error there is no such durability
defineConfig({ durability: 'never' })

const mode: Validation = 'off'
const body = { type: 'object' } as const
export const api: ApiRouteConfig = {
  type: 'api',
  name: 'A',
  path: '/a',
  method: 'POST',
  bodySchema: body,
  validation: mode,
}
export const event: EventConfig = { type: 'event', name: 'E', subscribes: ['t'], input: body, validation: 'enforce' }
// @ts-expect-error there is no such mode
export const wrong: ApiRouteConfig = { type: 'api', name: 'W', path: '/w', method: 'GET', validation: true }
