// A topic that the list lacks: the event is dropped with a warning, and the handler goes on.
export const config = {
  type: 'api',
  name: 'Undeclared',
  path: '/events/undeclared',
  method: 'POST',
  emits: ['dialects.noted'],
}

export const handler = async (_req: any, { emit, traceId }: any) => {
  const emitted = await emit({ topic: 'dialects.dropped', data: { key: 'undeclared' } })
  await emit({ topic: 'dialects.noted', data: { key: 'declared' } })
  return { status: 200, body: { traceId, emitted: emitted.id !== '' } }
}
