// A 204 sends no body, whatever the handler says.
export const config = { type: 'api', name: 'NoContent', path: '/responses/no-content', method: 'GET', emits: [] }

export const handler = async () => ({ status: 204, body: { never: 'sent' } })
