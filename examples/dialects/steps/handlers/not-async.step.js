// The handler returns its answer without a promise.
export const config = { type: 'api', name: 'NotAsync', path: '/handlers/not-async', method: 'GET', emits: [] }

export const handler = () => ({ status: 200, body: { ok: true } })
