// Its config is a function.
export const config = () => ({
  type: 'api',
  name: 'ConfigIsAFunction',
  path: '/files/config-is-a-function',
  method: 'GET',
})

export const handler = async () => ({ status: 200, body: {} })
