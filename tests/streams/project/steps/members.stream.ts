import type { StreamConfig } from 'motia'

/** What only ann may watch. */
export const config: StreamConfig = {
  name: 'members',
  schema: { type: 'object' } as any,
  baseConfig: { storageType: 'default' },
  canAccess: async (_subscription, authContext) => authContext?.user === 'ann',
}
