import type { ApiMiddleware } from 'motia'
import { z } from 'zod'

/** Turns what a schema's `parse` throws into a 400, so that handlers need not catch it. */
export const validationErrors: ApiMiddleware = async (_req, _ctx, next) => {
  try {
    return await next()
  } catch (error) {
    if (error instanceof z.ZodError) return { status: 400, body: { error: z.prettifyError(error) } }
    throw error
  }
}
