// A fake engine: starts the worker as the real one does, on an inherited descriptor, and speaks frames with it.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Incoming, Outgoing } from '../../lib/bodies.mjs'
import { ANSWER, Decoder, encodeFrame, KIND, MORE } from '../../lib/frames.mjs'

const WORKER = fileURLToPath(new URL('../../worker.mjs', import.meta.url))
const PATIENCE = 10_000

export { ANSWER, KIND, MORE }

export class Engine {
  /** Everything received, in order: {kind, flags, id, meta, body}. */
  frames = []
  logs = []
  ops = []
  stderr = ''
  stdout = ''
  /** What to answer an operation with: a value, an {error}, or nothing at all (`hold`). */
  onOp = () => undefined
  #waiting = []
  #nextCall = 1
  #frame = (kind, flags, id, meta, body) => this.socket.write(encodeFrame(kind, flags, id, meta, body))
  #longOps = new Incoming(this.#frame)
  #longReplies = new Outgoing(this.#frame)

  /** `files` maps paths to their text; they are written to a folder of their own, the project's root. */
  constructor({ files = {}, env = {}, flags = [] } = {}) {
    this.root = mkdtempSync(join(tmpdir(), 'motia-worker-'))
    this.write(files)
    this.child = spawn(process.execPath, [...flags, WORKER], {
      cwd: this.root,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env, MOTIA_FD: '3' },
    })
    this.socket = this.child.stdio[3]
    this.socket.on('error', () => {})
    const decoder = new Decoder((kind, flags, id, meta, body) =>
      this.#receive({ kind, flags, id, meta, body: Buffer.from(body) }),
    )
    this.socket.on('data', (chunk) => decoder.push(chunk))
    this.child.stdout.on('data', (text) => (this.stdout += text))
    this.child.stderr.on('data', (text) => (this.stderr += text))
    this.exit = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })))
  }

  write(files) {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.root, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
  }

  /** Kills the worker, if it still runs, and removes the project. */
  async close() {
    this.child.kill('SIGKILL')
    await this.exit
    for (const { timer } of this.#waiting) clearTimeout(timer)
    rmSync(this.root, { recursive: true, force: true })
  }

  send(kind, flags, id, meta, body) {
    this.socket.write(encodeFrame(kind, flags, id, meta, body))
  }

  /** Resolves with the first frame, past or future, that `matches`. */
  frame(matches, what = 'a frame') {
    const found = this.frames.find(matches)
    if (found !== undefined) return found
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what} did not come\n${this.stderr}`)), PATIENCE)
      this.#waiting.push({ matches, resolve, timer })
    })
  }

  /** Loads files of the project. Returns source → {config, handler, warnings} or {refused}. */
  async load(...sources) {
    const files = sources.map((source) => ({ source, module: join(this.root, source), kind: kindOf(source) }))
    const before = this.frames.length
    this.send(KIND.LOAD, 0, 0, { root: this.root }, JSON.stringify(files))
    await this.frame((f) => f.kind === KIND.READY && this.frames.indexOf(f) >= before, 'READY')
    const loaded = {}
    for (const { kind, meta, body } of this.frames.slice(before)) {
      if (kind === KIND.IMPORTED) loaded[meta.file] = { ...meta, config: JSON.parse(body) }
      if (kind === KIND.REFUSED) loaded[meta.file] = { refused: JSON.parse(body) }
    }
    return loaded
  }

  /** Sends a call and resolves with its result: {meta, body}. */
  async call(step, meta = {}, body = undefined) {
    const id = this.start(step, meta, body)
    return this.result(id)
  }

  start(step, meta = {}, body = undefined) {
    const id = this.#nextCall++
    const kind = meta.kind ?? 'api'
    const api = kind === 'api' ? { method: 'POST', path: '/x', headers: {} } : {}
    this.send(KIND.CALL, 0, id, { step, kind, trace: 'AUSDA-1060748', attempt: 1, ...api, ...meta }, body)
    return id
  }

  async result(id) {
    return await this.frame((f) => f.kind === KIND.RESULT && f.id === id, `the result of call ${id}`)
  }

  /** A call whose body is JSON, and its answer parsed. */
  async json(step, value, meta = {}) {
    const { meta: result, body } = await this.call(step, { content: 'json', ...meta }, JSON.stringify(value))
    return { ...result, body: body.length === 0 ? undefined : JSON.parse(body) }
  }

  log(matches) {
    return this.frame((f) => f.kind === KIND.LOG && matches(f.meta), 'a log line')
  }

  #receive(frame) {
    this.frames.push(frame)
    if (frame.kind === KIND.LOG) this.logs.push({ ...frame.meta, details: parse(frame.body) })
    this.#operation(frame)
    this.#waiting = this.#waiting.filter((waiter) => {
      if (!waiter.matches(frame)) return true
      clearTimeout(waiter.timer)
      waiter.resolve(frame)
      return false
    })
  }

  #operation({ kind, flags, id, meta, body }) {
    if (kind === KIND.WINDOW && flags & ANSWER) this.#longReplies.granted(id, flags, meta.bytes)
    else if (kind === KIND.OP && flags & MORE) this.#longOps.begin(kind, 0, id, meta, body, false)
    else if (kind === KIND.OP) this.#answer(id, meta, body)
    else if (kind === KIND.DATA && !(flags & ANSWER)) {
      const whole = this.#longOps.data(flags, id, body, false)
      if (whole !== undefined) this.#answer(id, whole.meta, whole.body)
    }
  }

  #answer(number, meta, body) {
    const op = { ...meta, number, value: parse(body) }
    this.ops.push(op)
    const answer = this.onOp(op)
    if (answer !== hold) this.reply(number, answer)
  }

  reply(number, answer) {
    const meta = answer?.error === undefined ? '' : JSON.stringify({ error: answer.error })
    const body = answer === undefined || meta !== '' ? undefined : JSON.stringify(answer)
    this.#longReplies.send(KIND.REPLY, ANSWER, number, meta, body)
  }
}

export const hold = Symbol('no answer yet')

const parse = (body) => (body.length === 0 ? undefined : JSON.parse(body))

function kindOf(source) {
  if (source.includes('motia.config')) return 'config'
  return source.includes('.stream.') ? 'stream' : 'step'
}

/** Text of a step file. `members` go into its config. */
export const step = (handler, members = "type: 'api', name: 'S', path: '/s', method: 'POST', emits: []") =>
  `export const config = { ${members} }\nexport const handler = ${handler}\n`

/** Runs `body(engine)` against a worker of its own. */
export async function withEngine(options, body) {
  const engine = new Engine(options)
  try {
    return await body(engine)
  } finally {
    await engine.close()
  }
}
