// Any status from 200 to 599, with a body.
export const config = { type: 'api', name: 'Teapot', path: '/responses/teapot', method: 'GET', emits: [] }

export const handler = async () => ({ status: 418, body: { error: 'short and stout' } })
