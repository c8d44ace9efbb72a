// The releases of zod that projects have, each installed as a project would have it: as `zod` in its node_modules.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url))

if (!existsSync(join(MODULES, 'zod-4'))) {
  throw new Error('these tests need the zod releases of package.json: run `npm ci` in sdk/node')
}

/** `{z, source}`: a release's `z`, and the path of a file in a project that has it. */
export async function project(release, entry = 'index.js') {
  const root = mkdtempSync(join(tmpdir(), 'motia-zod-'))
  process.on('exit', () => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(join(MODULES, release), join(root, 'node_modules', 'zod'))
  const { z } = await import(pathToFileURL(join(MODULES, release, entry)).href)
  return { z, source: join(root, 'steps', 'a.step.ts') }
}

export const ZOD_3 = await Promise.all([
  project('zod-3', 'lib/index.mjs').then((p) => ['zod 3.24', p]),
  project('zod-3.25').then((p) => ['zod 3.25', p]),
  project('zod-4', 'v3/index.js').then((p) => ['zod/v3 in zod 4', p]),
])

export const ZOD_4 = await Promise.all([
  project('zod-3.25', 'v4/index.js').then((p) => ['zod/v4 in zod 3.25', p]),
  project('zod-4.1').then((p) => ['zod 4.1', p]),
  project('zod-4').then((p) => ['zod 4.6', p]),
])

export const ZOD_MINI = await Promise.all([
  project('zod-3.25', 'v4-mini/index.js').then((p) => ['zod/v4-mini in zod 3.25', p]),
  project('zod-4', 'mini/index.js').then((p) => ['zod 4.6 mini', p]),
])
