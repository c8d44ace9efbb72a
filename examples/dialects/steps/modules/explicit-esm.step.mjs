// The extension says ES module.
export const config = { type: 'api', name: 'ExplicitEsm', path: '/modules/explicit-esm', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { this: typeof this } })
