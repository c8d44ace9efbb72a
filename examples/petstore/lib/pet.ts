import { z } from 'zod'

export const petSchema = z.object({
  id: z.uuid(),
  name: z.string().trim().min(1).max(80),
  species: z.enum(['dog', 'cat', 'bird', 'other']),
  ageMonths: z.int().min(0),
  status: z.enum(['available', 'pending', 'adopted']),
  createdAt: z.iso.datetime(),
  deletedAt: z.iso.datetime().optional(),
})

export const newPetSchema = petSchema.pick({ name: true, species: true, ageMonths: true })

export const petChangesSchema = petSchema
  .pick({ name: true, ageMonths: true, status: true })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'nothing to change')

export const errorSchema = z.object({ error: z.string() })

export type Pet = z.infer<typeof petSchema>
export type NewPet = z.infer<typeof newPetSchema>
export type PetChanges = z.infer<typeof petChangesSchema>
