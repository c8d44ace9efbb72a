// CommonJS that requires an ES module written in TypeScript.
const { greet } = require('../../lib/greet')

const config = { type: 'api', name: 'RequireOfEsm', path: '/modules/require-of-esm', method: 'GET', emits: [] }

const handler = async () => ({ status: 200, body: { greeting: greet('commonjs') } })

module.exports = { config, handler }
