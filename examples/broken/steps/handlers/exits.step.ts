// Ends the process.
export const config = { type: 'api', name: 'HandlerExits', path: '/handlers/exits', method: 'GET', emits: [] }

export const handler = async () => process.exit(1)
