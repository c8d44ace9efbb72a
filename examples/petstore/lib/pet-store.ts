import type { InternalStateManager } from 'motia'
import type { NewPet, Pet, PetChanges } from './pet'

const GROUP = 'pets'

/** Pets, kept in the state that all steps share. A deleted pet stays until it is purged. */
export const petStore = (state: InternalStateManager) => ({
  async create(pet: NewPet): Promise<Pet> {
    const id = crypto.randomUUID()
    return state.set<Pet>(GROUP, id, { id, ...pet, status: 'available', createdAt: new Date().toISOString() })
  },

  async find(id: string): Promise<Pet | null> {
    const pet = await state.get<Pet>(GROUP, id)
    return pet?.deletedAt ? null : pet
  },

  async list({ deleted = false } = {}): Promise<Pet[]> {
    const pets = await state.getGroup<Pet>(GROUP)
    return pets
      .filter((pet) => deleted === (pet.deletedAt !== undefined))
      .sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  },

  async update(id: string, changes: PetChanges & Pick<Partial<Pet>, 'deletedAt'>): Promise<Pet | null> {
    const pet = await this.find(id)
    return pet && state.set<Pet>(GROUP, id, { ...pet, ...changes })
  },

  async purge(id: string): Promise<void> {
    await state.delete(GROUP, id)
  },
})
