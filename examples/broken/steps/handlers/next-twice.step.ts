// A middleware that calls next() twice.
const twice = async (_req: any, _ctx: any, next: any) => {
  await next()
  return next()
}

export const config = {
  type: 'api',
  name: 'NextTwice',
  path: '/handlers/next-twice',
  method: 'GET',
  middleware: [twice],
  emits: [],
}

export const handler = async () => ({ status: 200, body: {} })
