// Two modules that import each other.
import { isEven } from '../../lib/circular/even'

export const config = { type: 'api', name: 'Circular', path: '/imports/circular/:n', method: 'GET', emits: [] }

export const handler = async (req: any) => ({ status: 200, body: { even: isEven(Number(req.pathParams.n)) } })
