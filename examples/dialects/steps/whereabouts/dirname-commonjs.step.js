// `__dirname` in CommonJS, with `require.resolve` of a file beside.
const { readFileSync } = require('node:fs')

exports.config = {
  type: 'api',
  name: 'DirnameCommonJs',
  path: '/whereabouts/dirname-commonjs',
  method: 'GET',
  emits: [],
}

exports.handler = async () => {
  const note = readFileSync(`${__dirname}/note.txt`, 'utf8')
  return { status: 200, body: { note, main: require.main === module } }
}
