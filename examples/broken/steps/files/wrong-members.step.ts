// Its config has members of the wrong type.
export const config = { type: 'api', name: 42, path: ['/files/wrong-members'], method: 'GET', emits: 'topic' }

export const handler = async () => ({ status: 200, body: {} })
