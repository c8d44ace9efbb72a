// A status that is too high.
export const config = { type: 'api', name: 'Status1000', path: '/handlers/status-1000', method: 'GET', emits: [] }

export const handler = async () => ({ status: 1000, body: {} })
