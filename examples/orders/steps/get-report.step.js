export const config = {
  type: 'api',
  name: 'GetReport',
  description: 'The latest daily report',
  path: '/reports/latest',
  method: 'GET',
  emits: [],
  flows: ['orders'],
}

export const handler = async (_, { state }) => {
  const report = await state.get('reports', 'latest')
  return report ? { status: 200, body: report } : { status: 404, body: { error: 'no report yet' } }
}
