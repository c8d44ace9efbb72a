// As `motia generate-types` writes it, plus the augmentations that projects write.
import { ApiResponse, ApiRouteHandler, CronHandler, EventHandler, MotiaStream } from 'motia'

declare module 'motia' {
  interface FlowContextStateStreams {
    order: MotiaStream<{ name: string; status: string }>
  }

  interface Handlers {
    Tick: CronHandler<never>
    OnOrder: EventHandler<{ id: string; name: string }, { topic: 'order.done'; data: { id: string } }>
    CreateOrder: ApiRouteHandler<
      { name: string; qty: number; tags?: Array<string> },
      ApiResponse<200, { ok: boolean }> | ApiResponse<400, { error: string }>,
      { topic: 'order.created'; data: { id: string } } | { topic: 'order.audit'; data: never; messageGroupId: string }
    >
    'With spaces and-more': ApiRouteHandler<Record<string, unknown>, unknown, never>
  }

  interface ApiRequest<TBody = unknown> {
    user?: { id: string; role: string }
  }
}
