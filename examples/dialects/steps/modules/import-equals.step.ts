// TypeScript's own form of require, and of a CommonJS export.
import path = require('node:path')

const config = { type: 'api', name: 'ImportEquals', path: '/modules/import-equals', method: 'GET', emits: [] }

const handler = async () => ({ status: 200, body: { file: path.basename('/a/b.txt') } })

export = { config, handler }
