// A header that would forge another one.
export const config = { type: 'api', name: 'HeaderValue', path: '/handlers/header-value', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, headers: { 'x-a': 'x\r\nset-cookie: forged=1' }, body: {} })
