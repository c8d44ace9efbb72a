// A parameter, decoded; it may have the name of a member of the context.
export const config = { type: 'api', name: 'ParameterRoute', path: '/routes/users/:traceId', method: 'GET', emits: [] }

export const handler = async (req: any) => ({ status: 200, body: req.pathParams })
