// The types of motia.config.
import type { CronAdapter, EventAdapter, StateAdapter, StreamAdapterManager } from './adapters.js'
import type { ApiRequest, ApiRouteMethod, FlowContext, Length, StreamAuthConfig, Validation } from './index.js'

export interface AdapterConfig {
  state?: StateAdapter
  streams?: StreamAdapterManager
  events?: EventAdapter
  cron?: CronAdapter
}

/** Which pages may read responses. Origins look like `https://example.com`. */
export interface CorsConfig {
  /**
   * `'*'` (the default), origins, or patterns such as `https://*.example.com` and `http://localhost:*`. `false` turns
   * CORS off. Functions and regular expressions cannot be used.
   */
  origin?: string | readonly string[] | false
  /** What a preflight is told; all methods that steps can have by default. */
  methods?: string | readonly string[]
  /** Request headers that pages may send; whatever the preflight asks for by default. */
  allowedHeaders?: string | readonly string[]
  /** The same as `allowedHeaders`. */
  headers?: string | readonly string[]
  /** Response headers that pages may read. */
  exposedHeaders?: string | readonly string[]
  /** Lets cookies come along. Needs an `origin` that names the pages. */
  credentials?: boolean
  /** Seconds for which a browser remembers the answer to a preflight; 600 by default. */
  maxAge?: number
  /** Lets pages of the public web reach this server in a private network. */
  privateNetwork?: boolean
}

/** A folder that is served, relative to the project or absolute. */
export type StaticFolder =
  | string
  | {
      folder: string
      /** The file in it that answers for pages that are not there: `index.html` of a single-page app. */
      fallback?: string
    }

/** Seconds, or text such as `'5m'`. */
export interface Timeouts {
  /** For importing one step file; 60 by default. */
  import?: Length
  /** For an API step, until the first byte of its response; 300 by default. */
  api?: Length
  /** Of silence inside a streamed response; 300 by default. */
  idle?: Length
  /** For cron steps, and for event steps without a timeout of their own; 900 by default. */
  event?: Length
  /** `streamAuth.authenticate` and `canAccess`: what takes longer counts as a no; 10 by default. */
  access?: Length
  /** Each thing that is asked of a stream's own storage; 30 by default. */
  storage?: Length
}

/** By age (seconds, or text such as `'30d'`) and by size (bytes, or text such as `'1gb'`). What is reached first counts. */
export interface RetentionLimits {
  age?: Length
  bytes?: number | string
}

/** How long what is finished is kept. */
export interface Retention {
  /** Dead letters, and those that were replayed: 30 days and 1 GB by default. */
  deadLetters?: RetentionLimits
  /** How the instants of schedules went: 30 days and 16 MB by default. */
  ticks?: RetentionLimits
  /** How long an idempotency key stands for its first event: 24 hours by default. */
  idempotencyKeys?: Length
}

/** Who may watch streams over the network. */
export interface StreamAccess {
  /** `'deny'` closes streams without `canAccess`; `'allow'` by default. */
  default?: 'allow' | 'deny'
  /** The pages that may watch. By default every page in `motia start`, those of this machine in `motia dev`. */
  origins?: false | string | string[]
  /** Whether `GET /api/streams/:name` lists items of all groups in `motia start` too; false by default. */
  list?: boolean
}

export type WorkerCount = number | 'auto'

export interface Workers {
  /** For TypeScript and JavaScript. */
  node?: WorkerCount
  python?: WorkerCount
  ruby?: WorkerCount
  /** A worker whose resident memory is above this is replaced: bytes, or text such as `'1gb'`. */
  memory?: number | string
}

export interface Config {
  /**
   * What a write survives once it is acknowledged: `fsync` (the default) also a power cut, `os` the end of every
   * process.
   */
  durability?: 'fsync' | 'os'
  /** The largest request body: bytes, or text such as `'10mb'` (the default). */
  bodyLimit?: number | string
  timeouts?: Timeouts
  /** Seconds that a stop may take before what still runs is cut off; 8 by default. */
  shutdownTimeout?: Length
  /** Whether a spare worker is kept ready; true by default. */
  standby?: boolean
  /** How many processes run handlers: 1 by default, `'auto'` for one per core. Each has its own copy of every module. */
  workers?: WorkerCount | Workers
  /** `'process'` gives each call a fresh process of its own; `'none'` by default. */
  isolation?: 'none' | 'process'
  /** Which pages may read responses. By default every page in `motia start`, those of this machine in `motia dev`. */
  cors?: boolean | CorsConfig
  /** Folders to serve, by path: `{ '/': 'public' }`. Steps win. */
  static?: Record<string, StaticFolder>
  /** What becomes of data that does not match its schema; `'warn'` by default. */
  validation?: Validation
  /** How long what is finished is kept. */
  retention?: Retention
  /** Whether calls and what they ask for are recorded; true by default. Log lines always are. */
  tracing?: boolean
  adapters?: AdapterConfig
  plugins?: MotiaPluginBuilder[]
  /** Who may watch streams, beside what `canAccess` of each says. */
  streams?: StreamAccess
  streamAuth?: StreamAuthConfig
  /** Gets the project's own express application before the routes. */
  app?: (app: any) => unknown
  redis?: { useMemoryServer?: boolean; host?: string; port?: number; username?: string; password?: string; db?: number }
  [key: string]: unknown
}

export declare function config<T extends Config>(value: T): T
export declare function defineConfig<T extends Config>(value: T): T

export interface WorkbenchPlugin {
  packageName: string
  componentName?: string
  label?: string
  labelIcon?: string
  position?: 'bottom' | 'top'
  cssImports?: string[]
  props?: Record<string, any>
}

export interface MotiaPlugin {
  workbench: WorkbenchPlugin[]
  dirname?: string
  steps?: string[]
  onShutdown?: () => void | Promise<void>
}

export interface MotiaPluginContext {
  printer: any
  state: StateAdapter
  lockedData: any
  tracerFactory: any
  eventAdapter: any
  registerApi(
    route: { method: ApiRouteMethod; path: string },
    handler: (req: ApiRequest<any>, ctx: FlowContext<any>) => Promise<any>,
  ): () => void
}

export type MotiaPluginBuilder = (context: MotiaPluginContext) => MotiaPlugin | Promise<MotiaPlugin>
