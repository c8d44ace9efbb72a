// The packages of this folder need each other before they are installed anywhere: `node --import siblings.mjs …`
import { register } from 'node:module'

const folder = new URL('../../../', import.meta.url)

const hooks = `
export function resolve(specifier, context, next) {
  const [, name, file] = specifier.match(/^@motiadev\\/(stream-client[a-z-]*)(?:\\/(.+))?$/) ?? []
  return next(name ? new URL(name + '/' + (file ?? 'index') + '.mjs', '${folder}').href : specifier, context)
}`

register(`data:text/javascript,${encodeURIComponent(hooks)}`)
