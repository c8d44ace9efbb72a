// Throws something that is no error.
export const config = {
  type: 'api',
  name: 'HandlerThrowsText',
  path: '/handlers/throws-text',
  method: 'GET',
  emits: [],
}

export const handler = async () => {
  throw 'the secret cause'
}
