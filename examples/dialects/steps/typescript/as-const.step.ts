// A config without a type, closed by `as const`, and a handler typed by it.
import { StepHandler } from 'motia'

export const config = {
  type: 'api',
  name: 'AsConst',
  path: '/typescript/as-const',
  method: 'GET',
  emits: [],
  flows: ['dialects'],
} as const

export const handler: StepHandler<typeof config> = async (_req, { flows }) => ({ status: 200, body: { flows } })
