// A header whose name is none.
export const config = { type: 'api', name: 'HeaderName', path: '/handlers/header-name', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, headers: { 'a header': 'x' }, body: {} })
