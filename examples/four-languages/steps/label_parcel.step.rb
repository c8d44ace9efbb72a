require_relative '../services/label'

def config
  {
    type: 'event',
    name: 'LabelParcel',
    subscribes: ['parcel.weighed'],
    emits: ['parcel.labelled'],
    flows: ['parcels']
  }
end

def handler(input, context)
  parcel = context.state.get('parcels', input.id)
  label = Label.new(parcel.to, input.grams).text
  context.state.update('parcels', input.id, [
    { type: 'set', path: 'label', value: label },
    { type: 'append', path: 'handledBy', value: 'ruby' }
  ])
  context.streams.journey.set(input.id, '3-labelled', { by: 'ruby', trace: context.trace_id })
  context.emit(topic: 'parcel.labelled', data: { id: input.id, label: label })
  context.logger.info('Parcel labelled', { id: input.id, label: label })
end
