// A config without `emits` may emit any topic.
export const config = { type: 'api', name: 'EmitsAbsent', path: '/events/emits-absent', method: 'POST' }

export const handler = async (_req: any, { emit, traceId }: any) => {
  await emit({ topic: 'dialects.noted', data: { key: 'emits-absent' } })
  return { status: 200, body: { traceId } }
}
