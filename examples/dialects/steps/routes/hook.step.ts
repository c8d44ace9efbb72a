// POST on the path of the HEAD step.
export const config = { type: 'api', name: 'HookRoute', path: '/routes/hook', method: 'POST', emits: [] }

export const handler = async (req: any) => ({ status: 200, body: { got: req.body }, headers: { 'x-step': 'post' } })
