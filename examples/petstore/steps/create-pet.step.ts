import type { ApiRouteConfig, Handlers } from 'motia'
import { errorSchema, newPetSchema, petSchema } from '../lib/pet'
import { petStore } from '../lib/pet-store'
import { requireApiKey } from '../middlewares/require-api-key'
import { timing } from '../middlewares/timing'
import { validationErrors } from '../middlewares/validation-errors'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'CreatePet',
  description: 'Adds a pet and asks for its first feeding reminder',
  path: '/pets',
  method: 'POST',
  bodySchema: newPetSchema,
  responseSchema: { 201: petSchema, 400: errorSchema, 401: errorSchema },
  middleware: [timing, requireApiKey, validationErrors],
  emits: ['pet.created'],
  flows: ['petstore'],
}

export const handler: Handlers['CreatePet'] = async (req, { state, streams, emit, logger }) => {
  // The schema in `config` documents the endpoint; what it lets in is up to the handler.
  const pet = await petStore(state).create(newPetSchema.parse(req.body))
  await streams.petStatus.set('pets', pet.id, { status: 'arrived', at: pet.createdAt })
  await emit({ topic: 'pet.created', data: { petId: pet.id, createdAt: pet.createdAt } })
  logger.info('Pet created', { id: pet.id, name: pet.name })
  return { status: 201, body: pet, headers: { location: `/pets/${pet.id}` } }
}
