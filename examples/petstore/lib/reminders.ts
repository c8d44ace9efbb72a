import type { InternalStateManager } from 'motia'

const GROUP = 'feeding-reminders'

/** Reminders have a group of their own: the job that sets them and a client that updates the pet never overwrite each other. */
export const reminders = (state: InternalStateManager) => ({
  set: (petId: string, nextFeedingAt: string) => state.set(GROUP, petId, nextFeedingAt),
  get: (petId: string) => state.get<string>(GROUP, petId),
  remove: (petId: string) => state.delete(GROUP, petId),
})
