exports.config = {
  type: 'event',
  name: 'SendParcel',
  subscribes: ['parcel.labelled'],
  emits: [],
  flows: ['parcels'],
}

exports.handler = async ({ id, label }, { logger, state, streams, traceId }) => {
  await state.update('parcels', id, [
    { type: 'set', path: 'sent', value: true },
    { type: 'append', path: 'handledBy', value: 'javascript' },
  ])
  await streams.journey.set(id, '4-sent', { by: 'javascript', trace: traceId })
  logger.info('Parcel sent', { id, label })
}
