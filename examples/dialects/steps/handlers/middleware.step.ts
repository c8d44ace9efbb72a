// Middleware: in the order of the list, each around the next; it may add to the request and change the answer.
import { ApiMiddleware, ApiRouteConfig, Handlers } from 'motia'

const tag =
  (name: string): ApiMiddleware =>
  async (req, _ctx, next) => {
    const request = req as typeof req & { tags?: string[] }
    request.tags = [...(request.tags ?? []), name]
    const response = await next()
    return {
      ...response,
      headers: { ...response.headers, 'x-tags': `${response.headers?.['x-tags'] ?? 'handler'} ${name}` },
    }
  }

const teapot: ApiMiddleware = async (req, _ctx, next) =>
  req.queryParams.tea === undefined ? next() : { status: 418, body: { error: 'no coffee here' } }

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Middleware',
  path: '/handlers/middleware',
  method: 'GET',
  middleware: [tag('outer'), teapot, tag('inner')],
  emits: [],
}

export const handler: Handlers['Middleware'] = async (req) => ({ status: 200, body: { tags: req.tags } })
