// Returns a number.
export const config = { type: 'api', name: 'ReturnsNumber', path: '/handlers/number', method: 'GET', emits: [] }

export const handler = async () => 200
