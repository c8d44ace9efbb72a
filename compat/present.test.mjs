import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { filesPresent, languageOf } from './present.mjs'

test('steps and streams of all languages are present, other files and packages are not', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'motia-compat-'))
  t.after(() => rmSync(root, { recursive: true }))
  const steps = ['steps/a.step.ts', 'steps/deep/b_step.py', 'src/c.step.py', 'src/d.step.rb', 'src/e.cron_step.py']
  const streams = ['steps/f.stream.mjs', 'src/g_stream.py', 'src/h.stream.py']
  const others = [
    'k_step.py',
    'steps/b_step.test.py',
    'steps/c.event.py',
    'steps/steps.py',
    'steps/python_modules/lib/i_step.py',
    'steps/__pycache__/j_step.py',
    'src/node_modules/l.step.js',
  ]
  for (const path of [...steps, ...streams, ...others]) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), '')
  }
  const found = filesPresent(root)
  assert.deepEqual(found.steps.sort(), steps.sort())
  assert.deepEqual(found.streams.sort(), streams.sort())
})

test('the language of a file is that of its ending', () => {
  const languages = ['a.step.ts', 'b_step.py', 'c.step.rb', 'py.step.mjs'].map(languageOf)
  assert.deepEqual(languages, ['Node', 'Python', 'Ruby', 'Node'])
})
