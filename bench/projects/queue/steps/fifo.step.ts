import type { EventConfig } from 'motia'
import { handle } from '../lib/tally'

export const config: EventConfig = {
  type: 'event',
  name: 'Fifo',
  subscribes: ['things.fifo'],
  emits: [],
  infrastructure: { queue: { type: 'fifo' } },
}

export const handler = async () => handle()
