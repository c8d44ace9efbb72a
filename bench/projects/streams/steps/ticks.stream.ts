import type { StreamConfig } from 'motia'

export const config: StreamConfig = {
  name: 'ticks',
  schema: { type: 'object' } as any,
  baseConfig: { storageType: 'default' },
}
