// Uses a stream that does not exist.
export const config = { type: 'api', name: 'UnknownStream', path: '/handlers/unknown-stream', method: 'GET', emits: [] }

export const handler = async (_req: any, { streams }: any) => ({
  status: 200,
  body: await streams.nowhere.get('a', 'b'),
})
