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

/** What ours find, of those who answer hello. */
const CAUGHT_BY_OURS = {
  'short-replay': ['browser chaos', 'core chaos', 'browser reconnect', 'core reconnect'],
  'no-history': ['browser chaos', 'core reconnect'],
  'no-pong': ['browser pongs', 'core pongs'],
  'silent-presence': ['browser presence', 'core presence'],
}
const OURS = '(browser own page|core own)'

/** The clients and checks that are enough to notice a mistake. */
function few(mistake) {
  const ours = CAUGHT_BY_OURS[mistake]
  const checks = (ours ?? CAUGHT[mistake]).map((name) => name.slice(name.indexOf(' ') + 1))
  return ['--clients', ours ? OURS : FEW, '--only', `^(${checks.join('|')})$`]
}

/** Every line that `clients.mjs` prints against a stand-in. */
async function linesOf(mistake, hello) {
  const home = mkdtempSync(join(tmpdir(), 'stand-in-'))
  const port = await freePort()
  const given = ['--port', String(port), '--data', join(home, 'items.json'), '--break', mistake, ...hello]
  const standIn = createServed(port, 'node', [join(folder, 'stand-in.mjs'), ...given])
  await standIn.start()
  const lines = await runClients(standIn, [...hello, ...(mistake ? few(mistake) : ['--restart'])])
  await standIn.stop()
  rmSync(home, { recursive: true, force: true })
  return lines
}

/** What is wrong with a proof, as text. */
async function prove(mistake, hello = []) {
  const lines = await linesOf(mistake, hello)
  const failed = lines.filter(({ ok }) => ok === false)
  if (!mistake) {
    console.log(`none: ${JSON.stringify(lines.at(-1))}`)
    return failed.map((line) => JSON.stringify(line))
  }
  const names = new Set(failed.map(({ client, check }) => `${client} ${check}`))
  console.log(`${mistake}: ${failed.length} of ${lines.length - 1} fail: ${[...names].join(', ')}`)
  const expected = CAUGHT[mistake] ?? CAUGHT_BY_OURS[mistake]
  return expected.filter((name) => !names.has(name)).map((name) => `${name} does not notice`)
}

const asked = process.argv.slice(2)
const all = ['none', 'hello', ...Object.keys(CAUGHT), ...Object.keys(CAUGHT_BY_OURS)]
let wrong = 0
for (const name of asked.length > 0 ? asked : all) {
  const hello = name === 'hello' || Object.hasOwn(CAUGHT_BY_OURS, name)
  const problems = await prove(name === 'none' || name === 'hello' ? '' : name, hello ? ['--hello'] : [])
  wrong += problems.length
  console.log(`${problems.length === 0 ? 'ok' : 'NOT OK'} ${name}`)
  for (const problem of problems) console.log(`  ${problem}`)
}
process.exit(wrong > 0 ? 1 : 0)
