// Its type does not exist.
export const config = { type: 'webhook', name: 'UnknownType', path: '/files/unknown-type', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: {} })
