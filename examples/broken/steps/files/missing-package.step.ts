// Imports a package that is not installed.
import { anything } from 'a-package-that-is-not-there'

export const config = { type: 'api', name: 'MissingPackage', path: '/files/missing-package', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { anything } })
