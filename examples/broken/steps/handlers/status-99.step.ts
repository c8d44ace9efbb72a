// A status that is too low.
export const config = { type: 'api', name: 'Status99', path: '/handlers/status-99', method: 'GET', emits: [] }

export const handler = async () => ({ status: 99, body: {} })
