// A redirect.
export const config = { type: 'api', name: 'Redirect', path: '/responses/redirect', method: 'GET', emits: [] }

export const handler = async () => ({ status: 302, headers: { location: '/responses/html' } })
