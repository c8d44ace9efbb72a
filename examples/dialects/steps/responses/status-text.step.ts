// A status that is a string.
export const config = { type: 'api', name: 'StatusText', path: '/responses/status-text', method: 'GET', emits: [] }

export const handler = async () => ({ status: '202', body: { ok: true } })
