import type { EventConfig, Handlers } from 'motia'
import { z } from 'zod'
import { petStore } from '../lib/pet-store'
import { reminders } from '../lib/reminders'

const DAY = 24 * 60 * 60 * 1000

export const config: EventConfig = {
  type: 'event',
  name: 'SetNextFeedingReminder',
  description: 'Plans the first feeding of a new pet, a day after it came',
  subscribes: ['pet.created'],
  input: z.object({ petId: z.uuid(), createdAt: z.iso.datetime() }),
  emits: [],
  flows: ['petstore'],
  // Two retries after a failure; each attempt may take 10 seconds.
  infrastructure: {
    handler: { timeout: 10 },
    queue: { maxRetries: 2, visibilityTimeout: 30 },
  },
}

export const handler: Handlers['SetNextFeedingReminder'] = async ({ petId, createdAt }, { state, streams, logger }) => {
  const pet = await petStore(state).find(petId)
  if (!pet) return logger.warn('The pet is gone already', { petId })
  // An event may come more than once: its result depends on the event alone, so doing it again changes nothing.
  const nextFeedingAt = new Date(Date.parse(createdAt) + DAY).toISOString()
  await reminders(state).set(petId, nextFeedingAt)
  await streams.petStatus.set('pets', petId, { status: 'settled', at: new Date().toISOString() })
  logger.info('Next feeding reminder set', { petId, nextFeedingAt })
}
