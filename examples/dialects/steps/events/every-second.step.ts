// A schedule with six fields: the first one is seconds.
import { CronConfig, Handlers } from 'motia'

let ticks = 0

export const config: CronConfig = { type: 'cron', name: 'EverySecond', cron: '*/1 * * * * *', emits: [] }

export const handler: Handlers['EverySecond'] = async ({ state }) => {
  ticks = Math.min(ticks + 1, 2)
  await state.set('notes', 'ticks', { ticks })
}
