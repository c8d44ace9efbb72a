// `require` in a TypeScript file with ES module syntax, of a built-in and of a local file.
import { join } from 'node:path'

const { EOL } = require('node:os')
const { double } = require('../../lib/old-school')

export const config = { type: 'api', name: 'RequireInEsm', path: '/modules/require-in-esm', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { path: join('a', 'b'), eol: EOL, four: double(2) } })
