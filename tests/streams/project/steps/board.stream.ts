import type { StreamConfig } from 'motia'

/** What everybody may watch. */
export const config: StreamConfig = {
  name: 'board',
  schema: { type: 'object' } as any,
  baseConfig: { storageType: 'default' },
}
