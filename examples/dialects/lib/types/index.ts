// Nothing in this file says which of these names are only types.
export { Pet, Named } from './pet'
export { makePet } from './make-pet'
