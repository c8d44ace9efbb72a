// A status that does not end a request.
export const config = { type: 'api', name: 'Status101', path: '/handlers/status-101', method: 'GET', emits: [] }

export const handler = async () => ({ status: 101, body: {} })
