// The same name as name-b.step.ts. Both run; a warning names the two files.
export const config = { type: 'api', name: 'Name', path: '/name/a', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { from: 'a' } })
