// So may one with an empty list.
export const config = { type: 'api', name: 'EmitsEmpty', path: '/events/emits-empty', method: 'POST', emits: [] }

export const handler = async (_req: any, { emit, traceId }: any) => {
  await emit({ topic: 'dialects:with:colons', data: { key: 'emits-empty' } })
  return { status: 200, body: { traceId } }
}
