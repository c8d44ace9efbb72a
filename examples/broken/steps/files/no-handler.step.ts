// Has no handler.
export const config = { type: 'api', name: 'NoHandler', path: '/files/no-handler', method: 'GET', emits: [] }
