import type { EventConfig, Handlers } from 'motia'

export const config: EventConfig = {
  type: 'event',
  name: 'ProcessMessage',
  description: 'Runs in the background for every message that was sent',
  subscribes: ['message.sent'],
  emits: [],
  flows: ['quick-start'],
}

export const handler: Handlers['ProcessMessage'] = async (input, { logger }) => {
  logger.info('Processing message', { text: input.text, length: input.text.length })
}
