// The clients under test: every published build of them whose code differs, and what each can do.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
export const folder = dirname(here)

const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** `{alias, client, version, features}` of each `old-…` package. */
export function oldClients() {
  const aliases = Object.entries(manifest.devDependencies).filter(([alias]) => alias.startsWith('old-'))
  return aliases.map(([alias, target]) => {
    const client = alias.split('-')[1]
    const version = target.slice(target.lastIndexOf('@') + 1)
    return { alias, client, version, features: featuresOf(client, version) }
  })
}

/** Ours, in the same shape. They can all that any of the original's could. */
export function ownClients() {
  const features = { protocols: true, setData: true, own: true }
  return ['core', 'browser', 'node', 'react'].map((client) => ({
    alias: `own-${client}`,
    client,
    version: 'own',
    features,
  }))
}

function featuresOf(client, version) {
  const minor = Number(version.split('.')[1])
  return {
    protocols: client === 'core' || minor >= 13,
    setData: client === 'react' && minor >= 17,
    diesWhenRefused: client === 'node',
  }
}

/** A package as a project on Node gets it: by `require` where it can, else by `import`. */
export async function load(alias) {
  const require = createRequire(import.meta.url)
  const { exports } = JSON.parse(readFileSync(join(folder, 'node_modules', alias, 'package.json'), 'utf8'))
  return exports?.['.']?.require ? require(alias) : await import(alias)
}
