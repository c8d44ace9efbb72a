// Throws when it is loaded.
export const config = { type: 'api', name: 'Throws', path: '/files/throws', method: 'GET', emits: [] }

throw new Error('MISSING_SETTING is not set')
