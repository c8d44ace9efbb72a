import type { ApiRouteConfig, Handlers } from 'motia'
import { z } from 'zod'
import { petSchema } from '../lib/pet'
import { petStore } from '../lib/pet-store'
import { timing } from '../middlewares/timing'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'ListPets',
  description: 'All pets, the oldest first',
  path: '/pets',
  method: 'GET',
  queryParams: [
    { name: 'species', description: 'Only pets of this species; may be given more than once' },
    { name: 'deleted', description: 'true: the pets that were deleted and wait to be purged' },
  ],
  responseSchema: { 200: z.array(petSchema) },
  middleware: [timing],
  emits: [],
  flows: ['petstore'],
}

export const handler: Handlers['ListPets'] = async (req, { state }) => {
  const { species, deleted } = req.queryParams
  const pets = await petStore(state).list({ deleted: deleted === 'true' })
  const wanted = species === undefined ? undefined : [species].flat()
  return { status: 200, body: pets.filter((pet) => wanted?.includes(pet.species) ?? true) }
}
