// `import()` and `require` of what the request names.
import { join } from 'node:path'

export const config = {
  type: 'api',
  name: 'Computed',
  path: '/imports/computed/:plugin/:language',
  method: 'GET',
  emits: [],
}

export const handler = async (req: { pathParams: { plugin: string; language: string } }) => {
  const { plugin, language } = req.pathParams
  const { default: change } = await import(`../../lib/plugins/${plugin}.js`)
  const { default: words } = await import('../../lib/words/' + language + '.json')
  const again = require(join(__dirname, '../../lib/words', language))
  return { status: 200, body: { text: change(words.hello), same: words === again } }
}
