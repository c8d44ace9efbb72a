import type { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'GetParcel',
  path: '/parcels/:id',
  method: 'GET',
  emits: [],
  flows: ['parcels'],
}

export const handler: Handlers['GetParcel'] = async (req, { state }) => {
  const parcel = await state.get('parcels', req.pathParams.id)
  return parcel ? { status: 200, body: parcel } : { status: 404, body: { error: 'no such parcel' } }
}
