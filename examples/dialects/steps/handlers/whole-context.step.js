// The members of the context, taken apart and on their own: none of them needs `this`.
export const config = {
  type: 'api',
  name: 'WholeContext',
  path: '/handlers/whole-context',
  method: 'GET',
  emits: [],
  flows: ['a', 'b'],
}

export const handler = async (
  _,
  { traceId, flows, state: { get, set, delete: remove, getGroup, clear }, emit, logger: { info } },
) => {
  await set('whole-context', 'key', { n: 1 })
  const value = await get('whole-context', 'key')
  const removed = await remove('whole-context', 'key')
  const missing = await get('whole-context', 'key')
  await clear('whole-context')
  info('Taken apart')
  const group = await getGroup('whole-context')
  return { status: 200, body: { traceId, flows, value, removed, missing, group, emit: typeof emit } }
}
