// Headers that are a string.
export const config = { type: 'api', name: 'HeadersText', path: '/handlers/headers-text', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, headers: 'x-a: 1', body: {} })
