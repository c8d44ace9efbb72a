import type { EventConfig } from 'motia'
import { handle } from '../lib/tally'

export const config: EventConfig = {
  type: 'event',
  name: 'Standard',
  subscribes: ['things.standard'],
  emits: [],
}

export const handler = async () => handle()
