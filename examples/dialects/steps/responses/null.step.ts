// null is a body.
export const config = { type: 'api', name: 'NullBody', path: '/responses/null', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: null })
