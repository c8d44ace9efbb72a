import type { EventConfig } from 'motia'

export const config: EventConfig = {
  type: 'event',
  name: 'Later',
  subscribes: ['things.later'],
  emits: [],
  infrastructure: { queue: { delaySeconds: 900 } },
}

export const handler = async () => {}
