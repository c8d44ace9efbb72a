// The same route as route-b.step.ts, which is registered first and wins: files of a folder come in reverse alphabetical order.
export const config = { type: 'api', name: 'RouteA', path: '/route', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { from: 'a' } })
