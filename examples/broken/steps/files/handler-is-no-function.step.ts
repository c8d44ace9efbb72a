// Its handler is no function.
export const config = {
  type: 'api',
  name: 'HandlerIsNoFunction',
  path: '/files/handler-is-no-function',
  method: 'GET',
  emits: [],
}

export const handler = { status: 200, body: {} }
