// Details that JSON cannot hold: a circle, a bigint, a map, a function. And details that are no object.
export const config = { type: 'api', name: 'LogOddDetails', path: '/logs/odd-details', method: 'GET', emits: [] }

export const handler = async (_req: any, { logger }: any) => {
  const circle: Record<string, unknown> = { big: 10n ** 20n, map: new Map([['key', 'in a map']]), run() {} }
  circle.itself = circle
  logger.info('Odd details', circle)
  logger.warn('Details of one word', 'e4')
  logger.debug('Only with --debug')
  logger.info(`Two lines:\nthe second`)
  logger.info(undefined)
  return { status: 200, body: { ok: true } }
}
