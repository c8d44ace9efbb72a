// Returns nothing.
export const config = { type: 'api', name: 'ReturnsNothing', path: '/handlers/nothing', method: 'GET', emits: [] }

export const handler = async () => {}
