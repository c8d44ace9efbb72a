// The Node worker of Motia: reads frames, runs handlers, answers. See sdk/protocol/README.md.
import { watchProcess } from './lib/blame.mjs'
import { Calls } from './lib/calls.mjs'
import { Connection } from './lib/connection.mjs'
import { captureConsole } from './lib/console.mjs'
import { Debugger } from './lib/debugger.mjs'
import { KIND } from './lib/frames.mjs'
import { Loader } from './lib/loader.mjs'
import { current, LogSender } from './lib/log.mjs'
import { createLogger } from './lib/logger.mjs'
import { dieWithParent } from './lib/orphan.mjs'

const fd = Number(process.env.MOTIA_FD)
if (!Number.isInteger(fd) || fd < 3) {
  process.stderr.write('This is the Node worker of Motia. The motia command starts it.\n')
  process.exit(2)
}
// Processes that user code starts are not workers.
delete process.env.MOTIA_FD

/** User code gets another one, see blame.mjs. */
const exit = process.exit.bind(process)
const debug = new Debugger()

// On Linux the launcher has asked for a signal.
if (process.platform !== 'linux') dieWithParent()

const connection = new Connection(fd, {
  load: ({ root }, files) => loader.load(root, files),
  streams: (names) => {
    calls.streams = names
  },
  call: (id, meta, body, borrowed) => calls.start(id, meta, body, borrowed),
  aborted: (id) => calls.aborted(id),
  cancel: (id, reason) => calls.cancel(id, reason),
  // The process ends by itself once nothing is left to do. The engine does not wait for ever.
  stop: () => calls.stop(() => connection.rest()),
  inspect: (port) => debug.listen(port, (problem) => log.send('error', problem, undefined, 'worker')),
  end: (error) => {
    if (error === undefined) exit(0)
    process.stderr.write(`motia worker: the connection to the engine broke: ${error.message}\n`)
    exit(1)
  },
})

const steps = new Map()
const log = new LogSender(connection)
const calls = new Calls(connection, steps, log)
const loader = new Loader(connection, steps, calls)

watchProcess(connection, log, calls)
captureConsole((level, text) => log.send(level, text, undefined, 'console', current.getStore()))
// What `globalLogger` of the package writes to. Elsewhere (in tests of users) it finds nothing here, and prints.
const logger = createLogger((level, message, details) =>
  log.send(level, message, details, 'logger', current.getStore()),
)
globalThis[Symbol.for('motia.log')] = (level, ...line) => logger[level](...line)

// Stopping comes by frame, or by the end of the stream: a Ctrl-C in the terminal reaches all processes of the group.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

connection.send(KIND.HELLO, 0, { protocol: 1, language: 'node', runtime: process.version, pid: process.pid })
