import type { ApiRouteConfig, Handlers } from 'motia'
import { errorSchema, petChangesSchema, petSchema } from '../lib/pet'
import { petStore } from '../lib/pet-store'
import { requireApiKey } from '../middlewares/require-api-key'
import { timing } from '../middlewares/timing'
import { validationErrors } from '../middlewares/validation-errors'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'UpdatePet',
  description: 'Changes a pet; a new status goes to the stream',
  path: '/pets/:id',
  method: 'PUT',
  bodySchema: petChangesSchema,
  responseSchema: { 200: petSchema, 400: errorSchema, 401: errorSchema, 404: errorSchema },
  middleware: [timing, requireApiKey, validationErrors],
  emits: [],
  flows: ['petstore'],
}

export const handler: Handlers['UpdatePet'] = async (req, { state, streams }) => {
  const changes = petChangesSchema.parse(req.body)
  const pet = await petStore(state).update(req.pathParams.id, changes)
  if (!pet) return { status: 404, body: { error: 'no such pet' } }
  if (changes.status) {
    await streams.petStatus.set('pets', pet.id, { status: changes.status, at: new Date().toISOString() })
  }
  return { status: 200, body: pet }
}
