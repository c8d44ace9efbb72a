export interface Pet {
  name: string
}

export type Named = Pick<Pet, 'name'>
