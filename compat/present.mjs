// Which step and stream files a project has on disk, by the original's rules of naming and on nobody's word.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const NAMED = /[._](step|stream)\.(ts|mts|cts|js|mjs|cjs|py|rb)$/

/** Paths relative to `root`: steps and streams of all languages. */
export function filesPresent(root) {
  const found = { steps: [], streams: [] }
  for (const folder of ['steps', 'src']) if (existsSync(join(root, folder))) walk(root, folder, found)
  return found
}

function walk(root, folder, found) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory() && !/^(\.|node_modules$|python_modules$|__pycache__$)/.test(entry.name))
      walk(root, path, found)
    const kind = entry.name.match(NAMED)?.[1]
    if (kind && !entry.isDirectory()) found[`${kind}s`].push(path)
  }
}

const LANGUAGES = { py: 'Python', rb: 'Ruby' }

/** The language of a step or stream file. */
export function languageOf(path) {
  return LANGUAGES[path.slice(path.lastIndexOf('.') + 1)] ?? 'Node'
}
