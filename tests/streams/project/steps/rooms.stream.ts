import type { StreamConfig } from 'motia'

/** A second stream: its groups and ids are those of `board`, its items are not. */
export const config: StreamConfig = {
  name: 'rooms',
  schema: { type: 'object' } as any,
  baseConfig: { storageType: 'default' },
}
