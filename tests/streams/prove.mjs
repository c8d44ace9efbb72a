// Proves the checks: against the stand-in all of them pass, and each of its mistakes makes those fail that are for it.
//
//   node prove.mjs [MISTAKE …]          `none` is the stand-in without a mistake, `hello` one that knows our protocol
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServed, freePort, runClients } from './lib/serve.mjs'
import { folder } from './lib/versions.mjs'

/** Two clients of each kind, the oldest and the newest, stand for all where a mistake is to be found. */
const FEW = 'wire|(browser|react) 0.2.2 (page|jsdom)|browser 0.17.14.* page|react 0.17.14.* jsdom|(node|core) 0.(8|17)'

/** Which checks each mistake must fail, as `client check`. Others may fail too. */
const CAUGHT = {
  'flat-stamps': ['wire timestamps-rise', 'browser burst', 'node burst', 'browser burst-with-events', 'react burst'],
  'inner-events': ['wire frames-of-a-group', 'wire one-frame-per-change', 'browser item-sync-and-changes'],
  'double-frames': ['wire one-frame-per-change', 'browser group-and-item', 'core group-and-item'],
  'null-delete': ['wire delete-missing', 'browser delete-missing', 'node delete-missing'],
  'leaky-items': ['wire item-of-other-group', 'browser item-of-other-group'],
  'deaf-leave': ['wire leave', 'browser leave', 'react unmount'],
  'greedy-leave': ['browser leave-one-of-two', 'react two-components'],
  'silent-missing': ['wire join-missing', 'browser reconnect', 'react reconnect'],
  'silent-empty': ['browser group-sync-empty', 'react useStreamGroup-setData'],
  'old-sync': ['wire timestamp-of-a-sync', 'browser reconnect', 'react reconnect'],
  'unsorted-sync': ['browser group-sync-filled'],
  'blind-join': ['browser join-during-writes'],
  'shuffled-frames': ['wire timestamps-rise', 'browser burst-with-events'],
  'binary-frames': ['wire frames-of-a-group', 'browser group-sync-empty', 'react useStreamGroup'],
  'open-doors': ['wire denied', 'browser denied-group', 'browser denied-item', 'browser token-in-query'],
  'mute-doors': ['wire denied', 'browser denied-item', 'browser unknown-stream', 'react useStreamEventHandler-denied'],
  'no-subprotocol': ['wire subprotocol', 'browser subprotocol', 'browser token-in-subprotocol', 'react protocols'],
  'one-path': ['browser any-path', 'core any-path'],
  fragile: ['wire bad-frames'],
  'lost-events': ['browser events-group', 'browser events-item', 'react useStreamEventHandler'],
  'no-reset': ['wire frames-of-a-group', 'browser reconnect', 'browser group-sync-empty'],
}

/** The clients and checks that are enough to notice a mistake. */
function few(mistake) {
  const checks = CAUGHT[mistake].map((name) => name.slice(name.indexOf(' ') + 1))
  return ['--clients', FEW, '--only', `^(${checks.join('|')})$`]
}

/** Every line that `clients.mjs` prints against a stand-in. */
async function linesOf(mistake, more) {
  const home = mkdtempSync(join(tmpdir(), 'stand-in-'))
  const port = await freePort()
  const given = ['--port', String(port), '--data', join(home, 'items.json'), '--break', mistake, ...more]
  const standIn = createServed(port, 'node', [join(folder, 'stand-in.mjs'), ...given])
  await standIn.start()
  const lines = await runClients(standIn, mistake ? few(mistake) : ['--restart'])
  await standIn.stop()
  rmSync(home, { recursive: true, force: true })
  return lines
}

/** What is wrong with a proof, as text. */
async function prove(mistake, more = []) {
  const lines = await linesOf(mistake, more)
  const failed = lines.filter(({ ok }) => ok === false)
  if (!mistake) {
    console.log(`none: ${JSON.stringify(lines.at(-1))}`)
    // Who is told what was missed has missed nothing.
    const gaps = more.length > 0 ? lines.filter(({ check, ok, detail }) => check === 'chaos' && ok && detail !== 'no gap') : []
    return [...failed, ...gaps].map((line) => JSON.stringify(line))
  }
  const names = new Set(failed.map(({ client, check }) => `${client} ${check}`))
  console.log(`${mistake}: ${failed.length} of ${lines.length - 1} fail: ${[...names].join(', ')}`)
  return CAUGHT[mistake].filter((name) => !names.has(name)).map((name) => `${name} does not notice`)
}

const asked = process.argv.slice(2)
let wrong = 0
for (const name of asked.length > 0 ? asked : ['none', 'hello', ...Object.keys(CAUGHT)]) {
  const problems = name === 'hello' ? await prove('', ['--hello']) : await prove(name === 'none' ? '' : name)
  wrong += problems.length
  console.log(`${problems.length === 0 ? 'ok' : 'NOT OK'} ${name}`)
  for (const problem of problems) console.log(`  ${problem}`)
}
process.exit(wrong > 0 ? 1 : 0)
