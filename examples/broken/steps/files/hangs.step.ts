// Waits for ever when it is loaded.
export const config = { type: 'api', name: 'Hangs', path: '/files/hangs', method: 'GET', emits: [] }

await new Promise(() => {})

export const handler = async () => ({ status: 200, body: {} })
