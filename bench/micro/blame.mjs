// What does it cost a call to know whose code runs? The SDK's own calls, on a connection that answers by itself.
//
//   node micro/blame.mjs with|without [calls]
//
// A process for each, since AsyncLocalStorage costs all promises of a process something once it was used. Prints nanoseconds per
// call as JSON.
import { Calls } from '../../sdk/node/lib/calls.mjs'
import { current } from '../../sdk/node/lib/log.mjs'

const [mode, count = '200000'] = process.argv.slice(2)
const calls = Number(count)
/** As many as a loaded worker holds. */
const IN_FLIGHT = 64

if (mode === 'without') current.run = (_call, run) => run()
else if (mode !== 'with') throw new Error('node micro/blame.mjs with|without [calls]')

const HANDLERS = {
  'answers at once': async () => ({ status: 200, body: { hello: 'world' } }),
  'awaits ten times': async () => {
    for (let at = 0; at < 10; at++) await null
    return { status: 200, body: { hello: 'world' } }
  },
  'reads and writes state': async (_req, { state }) => {
    const value = await state.get('group', 'key')
    await state.set('group', 'key', value)
    return { status: 200, body: { hello: 'world' } }
  },
}

const NOTHING = Buffer.alloc(0)
const VALUE = Buffer.from('{"n":1}')
const META = {
  kind: 'api',
  trace: 'AUSDA-1060748',
  attempt: 1,
  method: 'GET',
  path: '/hello',
  headers: {},
  content: 'none',
}

let answered = 0
let allAnswered
const connection = {
  idle: true,
  answer: (_kind, _id, meta) => {
    if (meta?.error !== undefined) throw new Error(JSON.stringify(meta.error))
    if (++answered === IN_FLIGHT) allAnswered()
  },
  request: (_meta, _body, done) => setImmediate(done, undefined, VALUE),
  retire: () => {},
}
const steps = new Map(
  Object.entries(HANDLERS).map(([name, run]) => [name, { source: `${name}.step.ts`, flows: [], run }]),
)
const all = new Calls(connection, steps, { send: () => {} })

/** Nanoseconds per call. */
async function measure(step, calls) {
  const meta = { ...META, step }
  const began = process.hrtime.bigint()
  for (let made = 0; made < calls; made += IN_FLIGHT) {
    answered = 0
    const round = new Promise((resolve) => {
      allAnswered = resolve
    })
    for (let id = made + 1; id <= made + IN_FLIGHT; id++) all.start(id, meta, NOTHING, false)
    await round
  }
  return Number(process.hrtime.bigint() - began) / calls
}

const nanos = {}
for (const step of Object.keys(HANDLERS)) {
  await measure(step, calls / 4)
  nanos[step] = await measure(step, calls)
}
console.log(JSON.stringify(nanos))
