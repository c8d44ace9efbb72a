// `emit(topic, data)` of the first versions.
export const config = {
  type: 'api',
  name: 'TopicAndData',
  path: '/events/topic-and-data',
  method: 'POST',
  emits: ['dialects.noted'],
}

export const handler = async (_req: any, { emit, traceId }: any) => {
  await emit('dialects.noted', { key: 'topic-and-data' })
  return { status: 200, body: { traceId } }
}
