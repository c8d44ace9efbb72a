// The old clients against a motia binary, which serves a copy of `project/`.
//
//   node against.mjs BINARY [--start] [--kill] [options of clients.mjs …]
//
// `--start` is `motia start` instead of `dev`; `--kill` restarts with SIGKILL. Prints the lines of what failed and of what
// was left out, and the counts.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createServed, freePort, runClients } from './lib/serve.mjs'
import { folder } from './lib/versions.mjs'

const [binary, ...given] = process.argv.slice(2)
if (!binary) throw new Error('Which binary?')
const own = ['--start', '--kill']
const has = (name) => given.includes(name)

const home = mkdtempSync(join(tmpdir(), 'streams-'))
cpSync(join(folder, 'project'), home, { recursive: true })
const port = await freePort()
const command = [has('--start') ? 'start' : 'dev', '--port', String(port)]
const served = createServed(port, resolve(binary), command, { cwd: home })
await served.start()
const lines = await runClients(served, ['--hello', '--restart', ...given.filter((each) => !own.includes(each))], {
  signal: has('--kill') ? 'SIGKILL' : 'SIGTERM',
  onLine: (line) => line.ok !== true && console.log(JSON.stringify(line)),
})
await served.stop()
rmSync(home, { recursive: true, force: true })
process.exit(lines.length === 0 || lines.some(({ ok }) => ok === false) ? 1 : 0)
