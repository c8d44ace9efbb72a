import type { StreamConfig } from 'motia'

export const config: StreamConfig = {
  name: 'journey',
  schema: {
    type: 'object',
    properties: { by: { type: 'string' }, trace: { type: 'string' } },
    required: ['by', 'trace'],
  },
  baseConfig: { storageType: 'default' },
}
