// Throws.
export const config = { type: 'api', name: 'HandlerThrows', path: '/handlers/throws', method: 'GET', emits: [] }

export const handler = async () => {
  throw new Error('the secret cause')
}
