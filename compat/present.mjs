// Which step and stream files a project has on disk, by the original's rules of naming and on nobody's word.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const NAMED = /[._](step|stream)\.(ts|mts|cts|js|mjs|cjs|py|rb)$/

/** Paths relative to `root`: steps and streams that node runs, and those of other languages. */
export function filesPresent(root) {
  const found = { steps: [], streams: [], otherLanguages: [] }
  for (const folder of ['steps', 'src']) if (existsSync(join(root, folder))) walk(root, folder, found)
  return found
}

function walk(root, folder, found) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory() && !/^(\.|node_modules$|python_modules$|__pycache__$)/.test(entry.name))
      walk(root, path, found)
    const [, kind, extension] = entry.name.match(NAMED) ?? []
    if (!kind || entry.isDirectory()) continue
    if (extension === 'py' || extension === 'rb') found.otherLanguages.push(path)
    else found[`${kind}s`].push(path)
  }
}
