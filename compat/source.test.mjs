import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { installPackages, installPythonPackages } from './source.mjs'

/** A folder with a program in it that stands for motia: it makes `python_modules` and tells how it was called. */
function folder(t, script = 'mkdir python_modules && echo "$1 $npm_lifecycle_event [$VIRTUAL_ENV]" >> calls') {
  const root = mkdtempSync(join(tmpdir(), 'motia-compat-'))
  t.after(() => rmSync(root, { recursive: true }))
  const binary = join(root, 'motia')
  writeFileSync(binary, `#!/bin/sh\n${script}\n`)
  chmodSync(binary, 0o755)
  const path = (name) => join(root, name)
  const text = (name) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : undefined)
  return { root, binary, path, text, write: (name, content) => writeFileSync(path(name), content) }
}

test('Python packages are installed as motia does, and once', (t) => {
  const { root, binary, text, write } = folder(t)
  installPythonPackages(binary, root, {})
  assert.equal(text('calls'), undefined, 'there is no requirements.txt')

  write('requirements.txt', 'httpx\n')
  const before = process.env.VIRTUAL_ENV
  process.env.VIRTUAL_ENV = '/another'
  t.after(() => {
    if (before === undefined) delete process.env.VIRTUAL_ENV
    else process.env.VIRTUAL_ENV = before
  })
  installPythonPackages(binary, root, {})
  installPythonPackages(binary, root, {})
  assert.equal(text('calls'), 'install postinstall []\n')

  write('requirements.txt', 'httpx\npydantic\n')
  installPythonPackages(binary, root, {})
  assert.equal(text('calls'), 'install postinstall []\n'.repeat(2))
})

test('a description names other Python packages, or none', (t) => {
  const { root, binary, path, text, write } = folder(t)
  write('requirements.txt', 'torch\n')
  installPythonPackages(binary, root, { python: ['httpx<0.28', 'pydantic'] })
  assert.equal(text('requirements.txt'), 'httpx<0.28\npydantic\n')
  assert.equal(existsSync(path('python_modules')), true)

  installPythonPackages(binary, root, { python: [] })
  assert.equal(existsSync(path('python_modules')), false)
  assert.equal(text('calls'), 'install postinstall []\n')
})

test('an install that fails says why, and is tried again', (t) => {
  const { root, binary, write } = folder(t, 'echo "Collecting x"; echo "ERROR: No matching distribution" >&2; exit 1')
  write('requirements.txt', 'x\n')
  const install = () => installPythonPackages(binary, root, {})
  assert.throws(install, { message: 'motia install failed: ERROR: No matching distribution' })
  assert.throws(install, /No matching distribution/)
})

test('npm is not asked for the original, nor for what only pnpm finds', (t) => {
  const { root, text, write } = folder(t)
  const dependencies = {
    motia: '1',
    '@motiadev/core': '1',
    '@a/types': 'workspace:*',
    zod: 'catalog:',
    typescript: 'catalog:',
  }
  write('package.json', JSON.stringify({ name: 'a', dependencies }))
  write('.compat-installed', '')
  // Nothing is left to install but what the description adds.
  installPackages(root, { add: { zod: 'file:zod' }, npm: ['--dry-run'] })
  assert.deepEqual(JSON.parse(text('package.json')).dependencies, { zod: 'file:zod' })
})
