// Runs the published stream clients of Motia 0.x, unchanged, and ours against a server.
//
//   node clients.mjs --url ws://127.0.0.1:PORT [--http http://127.0.0.1:PORT] [--restart] [--clients PATTERN]
//                    [--only PATTERN] [--jobs N] [--chromium FILE | --no-chromium] [--hello]
//
// The server runs the project in `project/`. Prints one line of JSON per check, `{client, version, place, check, ok,
// detail, ms}`; `ok` is null for what was left out. Exits with 1 where a check failed.
//
// With `--hello` it answers those who say hello (sdk/protocol/streams.md): then our clients must miss nothing.
//
// With `--restart` the line `{"hook":"restart"}` asks for the server to be stopped and started again with what it had
// stored; the line `restarted` on stdin says that it was, within 2 s where the node client is to live through it.
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { bundle } from './lib/bundle.mjs'
import { createEnv } from './lib/env.mjs'
import { createServerSide } from './lib/harness.mjs'
import { folder, oldClients, ownClients } from './lib/versions.mjs'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const RESTART_LIMIT = 60_000

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    url: { type: 'string' },
    http: { type: 'string' },
    hello: { type: 'boolean', default: false },
    restart: { type: 'boolean', default: false },
    clients: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: '4' },
    chromium: { type: 'string' },
    'no-chromium': { type: 'boolean', default: false },
  },
})
if (!options.url) throw new Error('--url ws://127.0.0.1:PORT is missing')
const browser = options['no-chromium'] ? undefined : (options.chromium ?? CHROMIUM.find((file) => existsSync(file)))
const world = {
  url: options.url.replace(/\/$/, ''),
  http: (options.http ?? options.url.replace(/^ws/, 'http')).replace(/\/$/, ''),
  only: options.only,
  restarts: options.restart,
  hello: options.hello,
  chromium: browser,
}

/** Each client in each place where it is at home. */
function allRuns() {
  const runs = [{ place: 'wire', client: 'wire', version: '-', features: {} }]
  for (const each of [...oldClients(), ...ownClients()]) {
    if (each.client === 'node' || each.client === 'core') runs.push({ ...each, place: 'node' })
    else runs.push({ ...each, place: each.client === 'react' ? 'jsdom' : 'page' })
    if (browser && (each.client === 'browser' || each.client === 'react')) runs.push({ ...each, place: 'chromium' })
  }
  const wanted = new RegExp(options.clients)
  return runs.filter(({ place, client, version }) => wanted.test(`${client} ${version} ${place}`))
}

/** Without a connection each of a thousand checks would wait for its own. */
function canConnect() {
  const socket = new WebSocket(world.url)
  return new Promise((resolve) => {
    socket.on('open', () => resolve('')).on('error', (error) => resolve(error.message))
  }).finally(() => socket.terminate())
}

const refused = await canConnect()
if (refused) {
  console.log(
    JSON.stringify({ client: 'wire', version: '-', place: 'wire', check: 'connect', ok: false, detail: refused }),
  )
  process.exit(1)
}
const runs = allRuns()
const isBundled = ({ place, version }) => version === 'own' || ['page', 'jsdom', 'chromium'].includes(place)
const bundled = await bundle(runs.filter(isBundled))
await createServerSide(createEnv(world)).fill('large', 500, 2000)

let failed = 0
const counts = { passed: 0, failed: 0, left: 0 }
const waiting = [...runs]
let free = Math.max(1, Number(options.jobs))
let ended = 0
const atRestart = []

function print({ client, version, place }, line) {
  const { check, ok, detail, ms } = line
  counts[ok === null ? 'left' : ok ? 'passed' : 'failed'] += 1
  if (ok === false) failed += 1
  console.log(JSON.stringify({ client, version, place, check, ok, detail, ms }))
}

function startNext() {
  while (free > 0 && waiting.length > 0) {
    free -= 1
    start(waiting.shift())
  }
}

function start(each) {
  const given = { ...each, file: bundled[each.alias], options: world }
  const child = fork(join(folder, 'lib', 'child.mjs'), [JSON.stringify(given)])
  let working = true
  const rest = () => {
    if (!working) return
    working = false
    free += 1
    startNext()
  }
  child.on('message', ({ ask, line }) => {
    if (line) print(each, line)
    const answer = (value) => child.connected && child.send({ to: ask, value })
    if (ask === 'turn') answer(true)
    if (ask === 'restart') {
      atRestart.push(answer)
      rest()
      restartWhenAllWait()
    }
  })
  child.on('exit', (code, signal) => {
    if (code !== 0) print(each, { check: 'end', ok: false, detail: `the process ended with ${signal ?? code}` })
    ended += 1
    rest()
    restartWhenAllWait()
    if (ended === runs.length) finish()
  })
}

/** The server restarts once, when each client has done all else and watches. */
async function restartWhenAllWait() {
  if (waiting.length > 0 || atRestart.length === 0 || atRestart.length + ended < runs.length) return
  const answers = atRestart.splice(0)
  console.log(JSON.stringify({ hook: 'restart' }))
  const back = await restarted()
  for (const answer of answers) answer(back)
}

function restarted() {
  const lines = createInterface({ input: process.stdin })
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), RESTART_LIMIT)
    lines.on('line', (line) => {
      if (line.trim() !== 'restarted') return
      resolve(true)
      clearTimeout(timer)
      lines.close()
    })
    lines.on('close', () => resolve(false))
  })
}

function finish() {
  console.log(JSON.stringify({ runs: runs.length, ...counts }))
  process.exit(failed > 0 ? 1 : 0)
}

startNext()
