// Emits the event that fails: the answer knows nothing of it.
export const config = {
  type: 'api',
  name: 'EmitsBrokenEvent',
  path: '/handlers/emits-broken-event',
  method: 'GET',
  emits: ['broken.event'],
}

export const handler = async (_req: any, { emit }: any) => {
  await emit({ topic: 'broken.event', data: {} })
  return { status: 200, body: { emitted: true } }
}
