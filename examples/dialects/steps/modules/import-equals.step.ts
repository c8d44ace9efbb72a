// TypeScript's own form of require, and of a CommonJS export.
import path = require('node:path')
import Ledger = require('../../lib/ledger')

const config = { type: 'api', name: 'ImportEquals', path: '/modules/import-equals', method: 'GET', emits: [] }

const handler = async () => {
  const ledger = new Ledger()
  ledger.entries.push(1, 2)
  return { status: 200, body: { file: path.basename('/a/b.txt'), total: ledger.total() } }
}

export = { config, handler }
