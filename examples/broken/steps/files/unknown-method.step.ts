// Its method does not exist.
export const config = { type: 'api', name: 'UnknownMethod', path: '/files/unknown-method', method: 'FETCH', emits: [] }

export const handler = async () => ({ status: 200, body: {} })
