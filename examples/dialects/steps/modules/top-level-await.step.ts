// `await` outside of any function, here and in a module that this one imports.
import { started } from '../../lib/slow-start'

const name = await Promise.resolve('TopLevelAwait')

export const config = { type: 'api', name, path: '/modules/top-level-await', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { name, started } })
