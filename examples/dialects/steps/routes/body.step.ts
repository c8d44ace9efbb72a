// The body as each content type brings it, and its exact text.
export const config = { type: 'api', name: 'BodyRoute', path: '/routes/body', method: 'POST', emits: [] }

export const handler = async (req: any) => ({
  status: 200,
  body: { body: req.body, rawBody: req.rawBody, same: JSON.stringify(req.body) === req.rawBody },
})
