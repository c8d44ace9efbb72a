import type { ApiMiddleware } from 'motia'

/** Lets a request through that brings the key. Without `next()` the handler never runs. */
export const requireApiKey: ApiMiddleware = async (req, { logger }, next) => {
  if (req.headers['x-api-key'] === (process.env.PETSTORE_API_KEY ?? 'dev-key')) return next()
  logger.warn('Refused a request without the API key')
  return { status: 401, body: { error: 'the x-api-key header is missing or wrong' } }
}
