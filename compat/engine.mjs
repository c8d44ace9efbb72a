// Runs a project with `motia dev` and stops it again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'

const START_LIMIT = 120_000
const STOP_LIMIT = 15_000

/** The binary: `MOTIA`, or what was built in this repository. */
export function motiaBinary(repository) {
  const built = ['release', 'debug'].map((profile) => join(repository, 'target', profile, 'motia'))
  const binary = process.env.MOTIA ? resolve(process.env.MOTIA) : built.find(existsSync)
  if (!binary) throw new Error('motia is not built: run `cargo build --release -p motia`, or set MOTIA to its path')
  return binary
}

/** Starts the project and returns once it listens. `lines` grows with what the engine prints. */
export async function start(binary, root, variables = {}) {
  const child = spawn(binary, ['dev', '--port', '0'], {
    cwd: root,
    env: environment(variables),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines = []
  let url
  const read = (stream) => {
    let rest = ''
    stream.setEncoding('utf8').on('data', (chunk) => {
      const parts = (rest + stripVTControlCharacters(chunk)).split('\n')
      rest = parts.pop()
      lines.push(...parts)
      url ??= parts.map((line) => line.match(/\[READY\] (http:\/\/\S+)/)?.[1]).find(Boolean)
    })
  }
  read(child.stdout)
  read(child.stderr)

  const limit = Date.now() + START_LIMIT
  while (!url && child.exitCode === null && Date.now() < limit) await sleep(50)
  const engine = { url, lines, stop: () => stop(child) }
  if (url) return engine
  await engine.stop()
  throw new Error(`motia dev did not start: ${lines.slice(-8).join('\n')}`)
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
  await ended
  clearTimeout(timer)
}

/** No more of this machine's environment than a program needs: keys and tokens stay out. */
function environment(variables) {
  const kept = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'NODE_EXTRA_CA_CERTS']
  const inherited = Object.fromEntries(
    kept.filter((name) => process.env[name]).map((name) => [name, process.env[name]]),
  )
  return { ...inherited, NO_COLOR: '1', ...variables }
}
