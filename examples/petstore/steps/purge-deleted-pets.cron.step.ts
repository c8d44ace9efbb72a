import type { CronConfig, Handlers } from 'motia'
import { petStore } from '../lib/pet-store'
import { reminders } from '../lib/reminders'

const keptSeconds = Number(process.env.PURGE_AFTER_SECONDS ?? 30 * 24 * 60 * 60)

export const config: CronConfig = {
  type: 'cron',
  name: 'PurgeDeletedPets',
  description: 'Removes the pets whose deletion is long ago',
  cron: process.env.PURGE_CRON ?? '0 2 * * *',
  emits: [],
  flows: ['petstore'],
}

export const handler: Handlers['PurgeDeletedPets'] = async ({ state, logger }) => {
  const store = petStore(state)
  const newest = new Date(Date.now() - keptSeconds * 1000).toISOString()
  for (const pet of await store.list({ deleted: true })) {
    if (pet.deletedAt === undefined || pet.deletedAt > newest) continue
    await reminders(state).remove(pet.id)
    await store.purge(pet.id)
    logger.info('Pet purged', { id: pet.id, name: pet.name })
  }
}
