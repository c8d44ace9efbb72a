// Its path has a parenthesis that is never closed.
export const config = { type: 'api', name: 'BadPath', path: '/files/bad-path/:id(\\d+', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: {} })
