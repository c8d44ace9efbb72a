// A parameter that is a regular expression.
export const config = { type: 'api', name: 'Expression', path: '/routes/years/:year(\\d{4})', method: 'GET', emits: [] }

export const handler = async (req: any) => ({ status: 200, body: req.pathParams })
