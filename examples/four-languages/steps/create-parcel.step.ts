import type { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'CreateParcel',
  path: '/parcels',
  method: 'POST',
  emits: ['parcel.received'],
  flows: ['parcels'],
  bodySchema: {
    type: 'object',
    properties: {
      to: { type: 'string', minLength: 1 },
      items: {
        type: 'array',
        items: {
          type: 'object',
          properties: { name: { type: 'string' }, grams: { type: 'number', minimum: 0 } },
          required: ['name', 'grams'],
        },
      },
    },
    required: ['to', 'items'],
  },
  validation: 'enforce',
}

export const handler: Handlers['CreateParcel'] = async (req, { emit, logger, state, streams, traceId }) => {
  const id = crypto.randomUUID()
  const { to, items } = req.body
  const parcel = { id, to, items, handledBy: ['typescript'] }
  await state.set('parcels', id, parcel)
  await streams.journey.set(id, '1-received', { by: 'typescript', trace: traceId })
  await emit({ topic: 'parcel.received', data: { id } })
  logger.info('Parcel received', { id, to })
  return { status: 201, body: { id, trace: traceId } }
}
