// Types imported like values: beside a value, alone, from a module that passes them on, and passed on from here.
import { ApiRouteConfig, Handlers } from 'motia'
import { makePet, Pet } from '../../lib/types'
import { Named } from '../../lib/types/pet'

export { Pet } from '../../lib/types'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'TypesAmongValues',
  path: '/typescript/types-among-values',
  method: 'GET',
  emits: [],
}

export const handler: Handlers['TypesAmongValues'] = async () => {
  const pet: Pet & Named = makePet('Max')
  return { status: 200, body: pet }
}
