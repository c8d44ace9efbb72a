// The same route as route-a.step.ts, but for a slash and capitals. This one wins.
export const config = { type: 'api', name: 'RouteB', path: '/Route/', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { from: 'b' } })
