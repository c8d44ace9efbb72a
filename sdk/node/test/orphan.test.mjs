// A worker whose engine was killed, where the system does not tell it.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const LIB = new URL('../lib/orphan.mjs', import.meta.url).href
const BUSY = `import { dieWithParent } from '${LIB}'
  dieWithParent()
  console.log(process.pid)
  setTimeout(() => { for (;;) {} }, 200)`
const PARENT = `require('child_process').spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(BUSY)}], { stdio: 'inherit' })
  setInterval(() => {}, 1000)`

/** One that nobody has waited for is dead too. */
const alive = (pid) => !/^(Z|$)/.test(spawnSync('ps', ['-o', 'stat=', '-p', pid]).stdout.toString().trim())

test('a busy process ends with its parent', async () => {
  const parent = spawn(process.execPath, ['-e', PARENT], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(line)
  await new Promise((done) => setTimeout(done, 500))
  assert.ok(alive(pid))
  parent.kill('SIGKILL')
  for (let waited = 0; alive(pid) && waited < 10_000; waited += 50) await new Promise((done) => setTimeout(done, 50))
  assert.ok(!alive(pid))
})
