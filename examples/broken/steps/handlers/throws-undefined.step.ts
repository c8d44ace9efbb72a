// Throws nothing at all.
export const config = {
  type: 'api',
  name: 'HandlerThrowsUndefined',
  path: '/handlers/throws-undefined',
  method: 'GET',
  emits: [],
}

export const handler = async () => {
  throw undefined
}
