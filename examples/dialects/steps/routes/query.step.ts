// Query strings with lists and objects in them.
export const config = { type: 'api', name: 'QueryRoute', path: '/routes/query', method: 'GET', emits: [] }

export const handler = async (req: any) => ({ status: 200, body: req.queryParams })
