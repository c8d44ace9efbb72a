import type { ApiRouteConfig, Handlers } from 'motia'
import { errorSchema } from '../lib/pet'
import { petStatusSchema } from './pet-status.stream'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'GetPetStatus',
  description: 'What the stream says of one pet now',
  path: '/pets/:id/status',
  method: 'GET',
  responseSchema: { 200: petStatusSchema, 404: errorSchema },
  emits: [],
  flows: ['petstore'],
}

export const handler: Handlers['GetPetStatus'] = async (req, { streams }) => {
  const item = await streams.petStatus.get('pets', req.pathParams.id)
  if (!item) return { status: 404, body: { error: 'no such pet' } }
  return { status: 200, body: { status: item.status, at: item.at } }
}
