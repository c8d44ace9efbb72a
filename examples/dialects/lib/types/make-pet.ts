import { Pet } from './pet'

export const makePet = (name: string): Pet => ({ name })
