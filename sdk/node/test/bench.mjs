// How fast is the worker? A fake engine in this process keeps `concurrency` calls in flight over a socket pair.
//
//   node test/bench.mjs [seconds] [--prof]     --prof leaves a CPU profile of the worker in the current folder
//
// The engine side only patches ids and counts, so that the worker is what is measured: its own CPU time per call is
// read from the system.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeFrame, KIND } from '../lib/frames.mjs'

// `node --test` on this folder must not wait for it.
if (process.env.NODE_TEST_CONTEXT !== undefined) process.exit(0)

const seconds = Number(process.argv[2]) || 3
const profile = process.argv.includes('--prof')
const folder = mkdtempSync(join(tmpdir(), 'motia-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']))

const STEPS = {
  'hello (api, json in and out)': `
    export const config = { type: 'api', name: 'Hello', path: '/hello', method: 'POST', emits: [] }
    export const handler = async (req) => ({ status: 200, body: { hello: req.body.name } })`,
  'emit (api, one awaited emit)': `
    export const config = { type: 'api', name: 'Emit', path: '/emit', method: 'POST', emits: [] }
    export const handler = async (req, { emit }) => {
      await emit({ topic: 'order.created', data: req.body })
      return { status: 200, body: { ok: true } }
    }`,
  'log (api, one log line)': `
    export const config = { type: 'api', name: 'Log', path: '/log', method: 'POST', emits: [] }
    export const handler = async (req, { logger }) => {
      logger.info('order created', { id: req.body.name, total: 3 })
      return { status: 200, body: { ok: true } }
    }`,
  'event (nothing awaited)': `
    export const config = { type: 'event', name: 'Event', subscribes: ['x'], emits: [] }
    export const handler = async (data) => { data.name.length }`,
}

const HEADERS = {
  host: 'localhost:3000',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  accept: 'application/json, text/plain, */*',
  'accept-encoding': 'gzip, deflate, br',
  'content-type': 'application/json',
  'content-length': '57',
}
const BODY = JSON.stringify({ name: 'Ada', items: [1, 2, 3], total: 99.99, note: null })

function startWorker() {
  const flags = profile ? ['--cpu-prof', `--cpu-prof-dir=${process.cwd()}`] : []
  const worker = fileURLToPath(new URL('../worker.mjs', import.meta.url))
  const child = spawn(process.execPath, [...flags, worker], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, MOTIA_FD: '3' },
  })
  return { child, socket: child.stdio[3] }
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Calls `onFrame(kind, id)` for each frame and looks at nothing else. */
function frameCounter(onFrame) {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= 14 && bytes.length - at >= 4 + bytes.readUInt32LE(at)) {
      onFrame(bytes[at + 4], bytes.readUInt32LE(at + 6))
      at += 4 + bytes.readUInt32LE(at)
    }
    rest = bytes.subarray(at)
  }
}

async function run(name, concurrency) {
  const { child, socket } = startWorker()
  const module = join(folder, `${name.split(' ')[0]}.mjs`)
  writeFileSync(module, STEPS[name])
  const kind = name.startsWith('event') ? 'event' : 'api'
  const meta = {
    step: 's',
    kind,
    trace: 'AUSDA-1060748',
    attempt: 1,
    ...(kind === 'api' && { method: 'POST', path: '/hello', headers: HEADERS, content: 'json' }),
  }
  const call = encodeFrame(KIND.CALL, 0, 0, meta, BODY)
  const reply = encodeFrame(KIND.REPLY, 0, 0)
  const started = new Map()
  const latencies = []
  let out = []
  let nextId = 1
  let done = 0
  let ready
  const isReady = new Promise((resolve) => (ready = resolve))
  const sendCall = () => {
    const frame = Buffer.from(call)
    frame.writeUInt32LE(nextId, 6)
    started.set(nextId++, process.hrtime.bigint())
    out.push(frame)
  }
  const count = frameCounter((kind, id) => {
    if (kind === KIND.RESULT) {
      latencies.push(Number(process.hrtime.bigint() - started.get(id)) / 1000)
      started.delete(id)
      done++
      sendCall()
    } else if (kind === KIND.OP) {
      const frame = Buffer.from(reply)
      frame.writeUInt32LE(id, 6)
      out.push(frame)
    } else if (kind === KIND.READY) ready()
  })
  const flush = () => {
    if (out.length > 0 && socket.writable) socket.write(Buffer.concat(out))
    out = []
  }
  socket.on('data', (chunk) => {
    count(chunk)
    flush()
  })
  const files = JSON.stringify([{ source: 's', module, kind: 'step' }])
  socket.write(encodeFrame(KIND.LOAD, 0, 0, { root: folder }, files))
  await isReady
  for (let i = 0; i < concurrency; i++) sendCall()
  flush()
  await sleep(1000)
  const [cpu, calls, at] = [cpuSeconds(child.pid), done, process.hrtime.bigint()]
  latencies.length = 0
  await sleep(seconds * 1000)
  const elapsed = Number(process.hrtime.bigint() - at) / 1e9
  const measured = done - calls
  const micros = ((cpuSeconds(child.pid) - cpu) / measured) * 1e6
  latencies.sort((a, b) => a - b)
  const p = (q) => latencies[Math.floor(latencies.length * q)]
  const columns = [
    name.padEnd(30),
    `${pad(concurrency, 3)} in flight`,
    `${pad((measured / elapsed).toFixed(0), 7)} calls/s`,
    `worker ${pad(micros.toFixed(1), 5)} µs/call`,
    `p50 ${pad(p(0.5).toFixed(0), 5)} µs`,
    `p99 ${pad(p(0.99).toFixed(0), 5)} µs`,
  ]
  console.log(columns.join('  '))
  socket.end()
  await new Promise((resolve) => child.on('exit', resolve))
}

const pad = (value, width) => String(value).padStart(width)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

for (const name of Object.keys(STEPS)) {
  await run(name, 1)
  await run(name, 64)
}
