// CommonJS: `exports.config = …` and `exports.handler = …`.
exports.config = { type: 'api', name: 'ExportsMembers', path: '/modules/exports-members', method: 'GET', emits: [] }

exports.handler = async () => ({ status: 200, body: { exported: Object.keys(exports) } })
