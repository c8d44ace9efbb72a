// CommonJS: `module.exports = { config, handler }`.
const config = { type: 'api', name: 'ModuleExports', path: '/modules/module-exports', method: 'GET', emits: [] }

const handler = async () => ({ status: 200, body: { module: typeof module } })

module.exports = { config, handler }
