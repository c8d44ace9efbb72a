// One of its middlewares is undefined, as after a wrong import: it must not run without it.
const { requireLogin } = {} as any

export const config = {
  type: 'api',
  name: 'BadMiddleware',
  path: '/files/bad-middleware',
  method: 'GET',
  middleware: [requireLogin],
  emits: [],
}

export const handler = async () => ({ status: 200, body: { secret: true } })
