import type { StreamConfig } from 'motia'
import { z } from 'zod'

export const petStatusSchema = z.object({
  status: z.enum(['arrived', 'settled', 'available', 'pending', 'adopted']),
  at: z.iso.datetime(),
})

/** One item per pet in the group `pets`: whoever watches the group sees each change as it happens. */
export const config: StreamConfig = {
  name: 'petStatus',
  schema: petStatusSchema,
  baseConfig: { storageType: 'default' },
}
