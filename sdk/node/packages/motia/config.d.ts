// The types of motia.config.
import type { CronAdapter, EventAdapter, StateAdapter, StreamAdapterManager } from './adapters.js'
import type { ApiRequest, ApiRouteMethod, FlowContext, StreamAuthConfig } from './index.js'

export interface AdapterConfig {
  state?: StateAdapter
  streams?: StreamAdapterManager
  events?: EventAdapter
  cron?: CronAdapter
}

export interface Config {
  adapters?: AdapterConfig
  plugins?: MotiaPluginBuilder[]
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
