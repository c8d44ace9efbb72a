// The handler is a function declaration, which is there before its line is reached.
export const config = {
  type: 'api',
  name: 'FunctionDeclaration',
  path: '/handlers/function-declaration',
  method: 'GET',
  emits: [],
}

const kind = typeof handler

export async function handler(request, context) {
  return { status: 200, body: { kind, context: typeof context.emit } }
}
