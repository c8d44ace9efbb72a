// Spaces, and more, in the name of the file and of the step.
import { ApiRouteConfig, Handlers } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'A Step, with (odd) "characters" & 🚀',
  path: '/handlers/name-with-spaces',
  method: 'GET',
  emits: [],
}

export const handler: Handlers['A Step, with (odd) "characters" & 🚀'] = async (_req, { logger }) => {
  logger.info('A name with spaces runs')
  return { status: 200, body: { name: config.name } }
}
