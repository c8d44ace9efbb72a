// Returns a function as body.
export const config = { type: 'api', name: 'ReturnsFunction', path: '/handlers/function', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: () => {} })
