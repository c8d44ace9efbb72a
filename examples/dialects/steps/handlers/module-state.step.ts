// What a module keeps, it keeps between calls.
let calls = 0

export const config = { type: 'api', name: 'ModuleState', path: '/handlers/module-state', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { calls: ++calls } })
