import type { EventConfig } from 'motia'
import { handle } from '../lib/tally'

export const config: EventConfig = {
  type: 'event',
  name: 'Fifty',
  subscribes: ['things.fifty'],
  emits: [],
  infrastructure: { queue: { concurrency: 50 } },
}

export const handler = async () => handle()
