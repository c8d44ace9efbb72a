// Any text can be a group or a key, and no group is part of another.
export const config = { type: 'api', name: 'StateKeys', path: '/handlers/state-keys', method: 'POST', emits: [] }

export const handler = async (_req: any, { state }: any) => {
  await state.set('org/repo', 'a.b', 'slash')
  await state.set('org', 'repo:a', 'colon')
  await state.set('org:repo', 'a', ['colons'])
  await state.set('orgs', '', { emoji: '🐾', big: 2 ** 40, gone: undefined })
  return {
    status: 200,
    body: {
      slash: await state.get('org/repo', 'a.b'),
      org: await state.getGroup('org'),
      colons: await state.getGroup('org:repo'),
      orgs: await state.getGroup('orgs'),
      unknown: await state.get('org', 'nothing'),
    },
  }
}
