// A cycle: the step subscribes to what it emits. All of its events have the trace of the first request.
import { EventConfig, Handlers } from 'motia'
import { Topic } from '../../lib/topics'

export const config: EventConfig = {
  type: 'event',
  name: 'Countdown',
  subscribes: [Topic.Countdown],
  emits: [Topic.Countdown, Topic.Noted],
  flows: ['dialects'],
}

export const handler: Handlers['Countdown'] = async ({ from, left }, { emit }) => {
  if (left > 0) await emit({ topic: Topic.Countdown, data: { from, left: left - 1 } })
  else await emit({ topic: Topic.Noted, data: { key: 'countdown', from } })
}
