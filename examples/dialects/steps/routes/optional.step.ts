// A parameter that may be left out; it is absent then.
export const config = {
  type: 'api',
  name: 'OptionalParameter',
  path: '/routes/optional/:a/:b?',
  method: 'GET',
  emits: [],
}

export const handler = async (req: any) => ({ status: 200, body: req.pathParams })
