// Static text wins over a parameter, whatever file comes first.
export const config = { type: 'api', name: 'StaticRoute', path: '/routes/users/me', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { me: true } })
