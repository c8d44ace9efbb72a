// The clients for browsers have ES modules without file endings, and ours are installed nowhere: only a bundler can load
// them.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { folder } from './versions.mjs'

const sdk = join(folder, '..', '..', 'sdk')
const out = join(folder, '.cache')

/** Bundles the checks with each of `clients`. Returns the file of each alias; it exports `start({features, env})`. */
export async function bundle(clients) {
  mkdirSync(out, { recursive: true })
  const files = {}
  for (const { alias, client, version } of clients) {
    const own = version === 'own'
    files[alias] = join(out, `${alias}.mjs`)
    await build({
      stdin: { contents: ENTRIES[client](alias), resolveDir: folder },
      outfile: files[alias],
      bundle: true,
      format: 'esm',
      platform: client === 'node' ? 'node' : 'browser',
      ...(own && { alias: OWN, resolveExtensions: ['.mjs', '.js'], nodePaths: [join(folder, 'node_modules')] }),
      define: { 'process.env.NODE_ENV': '"development"' },
      logLevel: 'error',
    })
  }
  return files
}

const OWN = Object.fromEntries(
  ['core', 'browser', 'node', 'react'].flatMap((client) => {
    const name = client === 'core' ? 'stream-client' : `stream-client-${client}`
    return [`own-${client}`, `@motiadev/${name}`].map((alias) => [alias, join(sdk, name)])
  }),
)

const browserEntry = (alias) => `
import { Stream } from '${alias}'
import { run } from './lib/checks.mjs'
export const start = ({ features, env }) => run({ Stream, features, env })
`

const reactEntry = (alias) => `
import * as client from '${alias}'
import { run } from './lib/react-checks.mjs'
export const start = ({ features, env }) => run({ client, features, env })
`

const plainEntry = (alias) => `export { Stream } from '${alias}'`

const ENTRIES = { browser: browserEntry, react: reactEntry, node: plainEntry, core: plainEntry }
