// Imports a file that does not exist.
import { anything } from '../../lib/not-there'

export const config = { type: 'api', name: 'MissingFile', path: '/files/missing-file', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { anything } })
