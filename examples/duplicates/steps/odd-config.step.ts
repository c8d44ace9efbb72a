// Members that nobody knows, a method in lower case, a path without its slash: each is a warning, none is an error.
export const config = { type: 'api', name: 'OddConfig', path: 'odd-config', method: 'get', emits: [], colour: 'blue' }

export const handler = async () => ({ status: 200, body: { ok: true } })
