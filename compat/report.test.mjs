import assert from 'node:assert/strict'
import { test } from 'node:test'
import { page } from './report.mjs'

const written = (results) => page({ results, version: 'motia 1', node: 'v20', python: 'Python 3', ending: 'The end.' })
const project = (name, more) => ({ name, kind: 'A', commit: '0123456789abcdef', ...more })

test('files of other languages count like those for Node, and are named beside them', () => {
  const both = { steps: ['steps/a.step.ts', 'steps/b_step.py'], streams: ['steps/c.stream.py'] }
  const text = written([
    {
      project: project('mixed', { notes: 'one is missing', why: 'Theirs.' }),
      present: both,
      loaded: { steps: both.steps, streams: [] },
      checks: [{ request: 'GET /' }, { request: 'GET /b', problem: 'no answer' }],
    },
    { project: project('node'), present: { steps: ['a.step.ts'], streams: [] }, loaded: both, checks: [] },
  ])
  assert.match(text, /^\| A: runs offline as it is \| 2 \| 2 of 4 \| 1 of 2 \|$/m)
  assert.match(text, /^\| of these in Python \| 1 \| 1 of 2 \| \|$/m)
  assert.match(text, /^\| mixed @01234567 \| A \| 2 of 3 \(2 in Python\) \| 1 of 2 \| one is missing \|$/m)
  assert.match(text, /^\| node @01234567 \| A \| 0 of 1 \| – \| {2}\|$/m)
  assert.match(text, /\*\*mixed\*\*\n\n- `steps\/c.stream.py` is not loaded\n- `GET \/b` no answer\n\nTheirs\./)
  assert.doesNotMatch(text, /Ruby/)
})

test('a run without failures says so', () => {
  const present = { steps: ['a.step.rb'], streams: [] }
  const text = written([{ project: project('ruby'), present, loaded: present, checks: [] }])
  assert.match(text, /^\| of these in Ruby \| 1 \| 1 of 1 \| \|$/m)
  assert.match(text, /Nothing failed in this run\.\n\nThe end\.\n$/)
})
