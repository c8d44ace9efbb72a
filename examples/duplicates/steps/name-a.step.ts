// The same name as name-b.step.ts, which wins. This step does not exist then.
export const config = { type: 'api', name: 'Name', path: '/name/a', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { from: 'a' } })
