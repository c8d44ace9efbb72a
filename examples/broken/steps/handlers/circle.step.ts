// Returns a circular object.
export const config = { type: 'api', name: 'ReturnsCircle', path: '/handlers/circle', method: 'GET', emits: [] }

export const handler = async () => {
  const body: Record<string, unknown> = {}
  body.itself = body
  return { status: 200, body }
}
