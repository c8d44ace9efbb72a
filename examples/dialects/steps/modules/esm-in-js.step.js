// ES module syntax in a .js file, though package.json does not say `"type": "module"`.
import { basename } from 'node:path'

export const config = { type: 'api', name: 'EsmInJs', path: '/modules/esm-in-js', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { file: basename(import.meta.url) } })
