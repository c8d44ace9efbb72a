import type { ApiMiddleware } from 'motia'

/** Tells the client how long its request took. */
export const timing: ApiMiddleware = async (_req, _ctx, next) => {
  const began = performance.now()
  const response = await next()
  const took = (performance.now() - began).toFixed(1)
  return { ...response, headers: { ...response.headers, 'server-timing': `handler;dur=${took}` } }
}
