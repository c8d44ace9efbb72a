// Errors in logs keep their message: as a member, as the second argument itself, and with a cause.
export const config = { type: 'api', name: 'LogErrors', path: '/logs/errors', method: 'GET', emits: [] }

export const handler = async (_req: any, { logger }: any) => {
  const cause = Object.assign(new TypeError('the cause of it'), { code: 'E_CAUSE' })
  logger.error('An error as a member', { error: new Error('inside the details') })
  logger.error('An error as the second argument', new Error('on its own', { cause }))
  return { status: 200, body: { ok: true } }
}
