// A status alone.
export const config = { type: 'api', name: 'NoBody', path: '/responses/no-body', method: 'GET', emits: [] }

export const handler = async () => ({ status: 201 })
