// Returns a string.
export const config = { type: 'api', name: 'ReturnsText', path: '/handlers/text', method: 'GET', emits: [] }

export const handler = async () => 'hello'
