import { orders } from '../lib/orders.js'

export const config = {
  type: 'cron',
  name: 'DailyReport',
  description: 'Counts the orders by status',
  cron: process.env.REPORT_CRON ?? '0 9 * * *',
  emits: [],
  flows: ['orders'],
}

export const handler = async ({ state, logger }) => {
  const all = await orders(state).all()
  const count = (status) => all.filter((order) => order.status === status).length
  const report = { total: all.length, pending: count('pending'), completed: count('completed') }
  await state.set('reports', 'latest', report)
  logger.info('Daily order report', report)
}
