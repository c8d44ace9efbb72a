// The types of all four packages fit how they are used, for each React and each way in which TypeScript finds packages.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const sdk = join(here, '..', '..')
const kit = join(sdk, '..', 'tests', 'streams', 'node_modules')
const reacts = { 18: join(here, 'react-18', 'node_modules'), 19: kit }

/** A project that has the packages as an installation leaves them: what `files` and `exports` do not name is not there. */
function createProject(react, options) {
  const folder = mkdtempSync(join(tmpdir(), 'types-'))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '@motiadev'), { recursive: true })
  for (const name of ['stream-client', 'stream-client-browser', 'stream-client-node', 'stream-client-react']) {
    const inside = (file) => basename(file) !== 'test' && basename(file) !== 'node_modules'
    cpSync(join(sdk, name), join(modules, '@motiadev', name), { recursive: true, filter: inside })
  }
  mkdirSync(join(modules, '@types'))
  symlinkSync(join(reacts[react], '@types', 'react'), join(modules, '@types', 'react'))
  for (const name of ['usage.ts', 'streams.ts']) cpSync(join(here, 'types', name), join(folder, name))
  const fixed = { strict: true, noEmit: true, target: 'es2022', lib: ['es2022', 'dom'], types: [], skipLibCheck: false }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...fixed, ...options } }))
  return folder
}

const compile = (folder) =>
  new Promise((resolve) => {
    const given = [join(kit, 'typescript', 'bin', 'tsc'), '-p', folder]
    execFile(process.execPath, given, (_, stdout) => resolve(stdout))
  })

for (const [react, module, moduleResolution] of [
  [18, 'esnext', 'bundler'],
  [18, 'commonjs', 'node10'],
  [19, 'nodenext', 'nodenext'],
]) {
  test(`the types with React ${react} and moduleResolution ${moduleResolution}`, async (t) => {
    const folder = createProject(react, { module, moduleResolution })
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    assert.equal(await compile(folder), '')
  })
}
