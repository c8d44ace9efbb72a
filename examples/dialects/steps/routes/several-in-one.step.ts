// Several parameters in one segment.
export const config = {
  type: 'api',
  name: 'SeveralInOne',
  path: '/routes/flights/:from-:to.:format',
  method: 'GET',
  emits: [],
}

export const handler = async (req: any) => ({ status: 200, body: req.pathParams })
