// So is a number.
export const config = { type: 'api', name: 'NumberBody', path: '/responses/number', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: 5 })
