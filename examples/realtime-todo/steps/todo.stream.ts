import type { StreamConfig } from 'motia'
import { z } from 'zod'

export const todoSchema = z.object({
  id: z.string(),
  title: z.string().min(1).max(200),
  done: z.boolean(),
  /** Milliseconds. */
  addedAt: z.number(),
})

export type Todo = z.infer<typeof todoSchema>

// `enforce`: what does not match is never stored, so the page need not look for it.
export const config: StreamConfig = { name: 'todo', schema: todoSchema, validation: 'enforce' }
