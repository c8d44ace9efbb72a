import type { StreamConfig } from 'motia'

/** What nobody may watch. */
export const config: StreamConfig = {
  name: 'locked',
  schema: { type: 'object' } as any,
  baseConfig: { storageType: 'default' },
  canAccess: () => false,
}
