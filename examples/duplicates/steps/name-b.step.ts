// The same name as name-a.step.ts. This one wins.
export const config = { type: 'api', name: 'Name', path: '/name/b', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { from: 'b' } })
