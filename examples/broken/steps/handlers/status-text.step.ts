// A status that is no number.
export const config = { type: 'api', name: 'StatusAbc', path: '/handlers/status-text', method: 'GET', emits: [] }

export const handler = async () => ({ status: 'abc', body: {} })
