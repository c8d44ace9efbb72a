// A star takes the rest of the path, slashes and all. Its name is "0".
export const config = { type: 'api', name: 'Wildcard', path: '/routes/files/*', method: 'GET', emits: [] }

export const handler = async (req: any) => ({ status: 200, body: { file: req.pathParams['0'] } })
