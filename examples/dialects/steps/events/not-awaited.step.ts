// Events and writes that nobody waits for are kept all the same.
export const config = {
  type: 'api',
  name: 'NotAwaited',
  path: '/events/not-awaited',
  method: 'POST',
  emits: ['dialects.noted'],
}

export const handler = async (_req: any, { emit, state, traceId }: any) => {
  state.set('notes', 'not-awaited-state', { written: true })
  emit({ topic: 'dialects.noted', data: { key: 'not-awaited' } })
  return { status: 200, body: { traceId } }
}
