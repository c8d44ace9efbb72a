// Is not TypeScript: a comma is missing after the first member.
export const config = {
  type: 'api'
  name: 'SyntaxError', path: '/files/syntax-error', method: 'GET', emits: [],
}

export const handler = async () => ({ status: 200, body: {} })
