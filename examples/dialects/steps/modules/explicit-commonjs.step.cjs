// The extension says CommonJS.
exports.config = { type: 'api', name: 'ExplicitCommonJs', path: '/modules/explicit-commonjs', method: 'GET', emits: [] }

exports.handler = async () => ({ status: 200, body: { require: typeof require } })
