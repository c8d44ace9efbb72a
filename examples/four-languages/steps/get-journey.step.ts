import type { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'GetJourney',
  path: '/parcels/:id/journey',
  method: 'GET',
  emits: [],
  flows: ['parcels'],
}

export const handler: Handlers['GetJourney'] = async (req, { streams }) => {
  const stops = await streams.journey.getGroup(req.pathParams.id)
  const body = stops.map(({ id, by, trace }: { id: string; by: string; trace: string }) => ({ id, by, trace }))
  return { status: 200, body: body.sort((a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id)) }
}
