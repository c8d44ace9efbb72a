// `paths`, with a fallback, and `baseUrl`, from a tsconfig.json that has comments and a base.
import { greet } from '@/greet'
import { area } from 'lib/shapes'

export const config = { type: 'api', name: 'TsconfigPaths', path: '/imports/tsconfig-paths', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { greeting: greet('paths'), area: area(3, 4) } })
