import type { ApiRouteConfig, Handlers } from 'motia'
import { errorSchema } from '../lib/pet'
import { petStore } from '../lib/pet-store'
import { requireApiKey } from '../middlewares/require-api-key'
import { timing } from '../middlewares/timing'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'DeletePet',
  description: 'Hides a pet; PurgeDeletedPets removes it later',
  path: '/pets/:id',
  method: 'DELETE',
  responseSchema: { 401: errorSchema, 404: errorSchema },
  middleware: [timing, requireApiKey],
  emits: [],
  flows: ['petstore'],
}

export const handler: Handlers['DeletePet'] = async (req, { state, streams }) => {
  const pet = await petStore(state).update(req.pathParams.id, { deletedAt: new Date().toISOString() })
  if (!pet) return { status: 404, body: { error: 'no such pet' } }
  await streams.petStatus.delete('pets', pet.id)
  return { status: 204 }
}
