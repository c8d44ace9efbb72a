// A route of the project wins over one of the engine.
export const config = { type: 'api', name: 'HealthRoute', path: '/healthz', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { status: 'mine' } })
