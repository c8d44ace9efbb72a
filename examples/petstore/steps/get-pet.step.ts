import type { ApiRouteConfig, Handlers } from 'motia'
import { z } from 'zod'
import { errorSchema, petSchema } from '../lib/pet'
import { petStore } from '../lib/pet-store'
import { reminders } from '../lib/reminders'
import { timing } from '../middlewares/timing'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'GetPet',
  description: 'One pet, and when it is to be fed next',
  path: '/pets/:id',
  method: 'GET',
  responseSchema: {
    200: petSchema.extend({ nextFeedingAt: z.iso.datetime().nullable() }),
    404: errorSchema,
  },
  middleware: [timing],
  emits: [],
  flows: ['petstore'],
}

export const handler: Handlers['GetPet'] = async (req, { state }) => {
  const { id } = req.pathParams
  const pet = await petStore(state).find(id)
  if (!pet) return { status: 404, body: { error: 'no such pet' } }
  return { status: 200, body: { ...pet, nextFeedingAt: await reminders(state).get(id) } }
}
