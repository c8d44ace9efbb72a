// Works, whatever its neighbours do.
export const config = { type: 'api', name: 'Good', path: '/good', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { good: true } })
