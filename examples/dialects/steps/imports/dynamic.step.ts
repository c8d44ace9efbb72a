// `import()` in a handler.
export const config = { type: 'api', name: 'Dynamic', path: '/imports/dynamic', method: 'GET', emits: [] }

export const handler = async () => {
  const { greet } = await import('../../lib/greet')
  return { status: 200, body: { greeting: greet('import()') } }
}
