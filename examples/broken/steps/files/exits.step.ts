// Ends the process when it is loaded, as some libraries do that check their environment.
export const config = { type: 'api', name: 'Exits', path: '/files/exits', method: 'GET', emits: [] }

process.exit(1)
