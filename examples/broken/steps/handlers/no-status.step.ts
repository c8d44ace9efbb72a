// Returns no status.
export const config = { type: 'api', name: 'ReturnsNoStatus', path: '/handlers/no-status', method: 'GET', emits: [] }

export const handler = async () => ({ body: {} })
