// A HEAD step, as webhooks ask for; its body is never sent.
export const config = { type: 'api', name: 'HeadRoute', path: '/routes/hook', method: 'HEAD', emits: [] }

export const handler = async () => ({ status: 200, body: { never: 'sent' }, headers: { 'x-step': 'head' } })
