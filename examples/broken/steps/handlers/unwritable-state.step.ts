// Writes a circular object to the state and does not wait for it: the call fails all the same.
export const config = {
  type: 'api',
  name: 'UnwritableState',
  path: '/handlers/unwritable-state',
  method: 'GET',
  emits: [],
}

export const handler = async (_req: any, { state }: any) => {
  const circle: Record<string, unknown> = {}
  circle.itself = circle
  state.set('broken', 'circle', circle)
  return { status: 200, body: { stored: true } }
}
