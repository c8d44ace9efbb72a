// The logger and what it makes of the details that users pass.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detailsJson } from '../lib/details.mjs'
import { createLogger } from '../lib/logger.mjs'

const details = (value) => JSON.parse(detailsJson(value))

test('plain details are plain JSON', () => {
  assert.equal(detailsJson(undefined), undefined)
  const value = { id: 'a', n: 1.5, list: [1, null, { x: true }], emoji: '🐾', nothing: undefined, date: new Date(0) }
  assert.equal(detailsJson(value), JSON.stringify(value))
  assert.deepEqual(details('Nf3'), 'Nf3')
  assert.deepEqual(details([undefined, 1]), [null, 1])
})

test('errors show what they hold, wherever they are', () => {
  const cause = Object.assign(new Error('socket'), { code: 'ECONNRESET' })
  const error = Object.assign(new TypeError('no', { cause }), { status: 502 })
  const { error: shown } = details({ error })
  assert.deepEqual([shown.name, shown.message, shown.status], ['TypeError', 'no', 502])
  assert.match(shown.stack, /logging\.test\.mjs/)
  assert.deepEqual([shown.cause.message, shown.cause.code], ['socket', 'ECONNRESET'])
  assert.equal(details(error).message, 'no')
  assert.equal(details(new AggregateError([new Error('one')], 'all')).errors[0].message, 'one')
})

test('what JSON does not know is described', () => {
  const value = {
    big: 10n,
    symbol: Symbol('s'),
    fn: function named() {},
    map: new Map([
      ['a', 1],
      [2, 'b'],
    ]),
    set: new Set([1, 'x']),
    nan: Number.NaN,
    bytes: Buffer.from('abc'),
    many: new Uint8Array(100),
    re: /x/g,
    url: new URL('http://x/'),
    promise: Promise.resolve(),
  }
  assert.deepEqual(details(value), {
    big: '10n',
    symbol: 'Symbol(s)',
    fn: '[Function named]',
    map: { a: 1, 2: 'b' },
    set: [1, 'x'],
    nan: 'NaN',
    bytes: '[Buffer 3 bytes: 616263]',
    many: `[Uint8Array 100 bytes: ${'00'.repeat(32)}…]`,
    re: '/x/g',
    url: 'http://x/',
    promise: '[Promise]',
  })
})

test('cycles, broken getters, broken toJSON and lone surrogates do not throw', () => {
  const value = {
    name: 'a\ud800',
    get bad() {
      throw new Error('locked')
    },
    json: {
      toJSON() {
        throw new Error('no')
      },
    },
  }
  value.self = value
  value.list = [value, { again: value }]
  assert.deepEqual(details(value), {
    name: 'a\ufffd',
    bad: '[Unreadable: locked]',
    json: '[Unreadable: no]',
    self: '[Circular]',
    list: ['[Circular]', { again: '[Circular]' }],
  })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  assert.match(detailsJson({ proxy }), /Unreadable/)
  assert.match(
    detailsJson(
      new Proxy(
        {},
        {
          get() {
            throw undefined
          },
          ownKeys() {
            throw null
          },
        },
      ),
    ),
    /Unreadable/,
  )
})

test('the same object twice is no cycle', () => {
  const shared = { a: 1 }
  assert.deepEqual(details({ x: shared, y: [shared] }), { x: { a: 1 }, y: [{ a: 1 }] })
})

test('monsters are cut, and what is left is JSON', () => {
  const deep = {}
  let at = deep
  for (let i = 0; i < 10_000; i++) at = at.next = {}
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key${i}`, 'value']))
  const monsters = [
    deep,
    wide,
    Object.values(wide),
    'x'.repeat(1e7),
    { a: 'ž'.repeat(1e6) },
    [Array.from({ length: 1e6 }, () => ({}))],
    '\0'.repeat(1e6),
  ]
  for (const value of monsters) {
    const json = detailsJson(value)
    assert.ok(json.length < 200_000, `${json.length}`)
    JSON.parse(json)
  }
  assert.match(detailsJson(wide), /"…":"\[Truncated\]"\}$/)
})

function recorder() {
  const lines = []
  return { lines, logger: createLogger((level, message, more) => lines.push([level, message, more])) }
}

test('a logger takes what its users pass', () => {
  const { lines, logger } = recorder()
  const error = new Error('broken')
  logger.info('one')
  logger.warn('two', { a: 1 })
  logger.error(error)
  logger.error('four', error)
  logger.info('five', 'text')
  logger.info('six', 1, 2)
  logger.info({ a: 1 })
  logger.log('eight')
  assert.deepEqual(lines, [
    ['info', 'one', undefined],
    ['warn', 'two', { a: 1 }],
    ['error', 'broken', { error }],
    ['error', 'four', error],
    ['info', 'five', 'text'],
    ['info', 'six', [1, 2]],
    ['info', '{ a: 1 }', undefined],
    ['info', 'eight', undefined],
  ])
})

test('debug is not sent unless LOG_LEVEL says so', () => {
  const { lines, logger } = recorder()
  logger.debug('hidden')
  assert.deepEqual(lines, [])
})

test('children add their fields, and the methods need no this', () => {
  const { lines, logger } = recorder()
  const { info } = logger.child({ user: 'ada' }).child({ step: 2 })
  info('a', { step: 3 })
  info('b')
  info('c', 'text')
  assert.deepEqual(
    lines.map(([, , more]) => more),
    [
      { user: 'ada', step: 3 },
      { user: 'ada', step: 2 },
      { user: 'ada', step: 2, details: 'text' },
    ],
  )
})

test('listeners see every line; one that throws harms nothing', (t) => {
  const complaints = t.mock.method(console, 'error', () => {})
  const { lines, logger } = recorder()
  const heard = []
  logger.addListener(() => {
    throw new Error('bad listener')
  })
  logger.addListener((...args) => heard.push(args))
  logger.debug('a', 1)
  logger.info('b')
  assert.deepEqual(heard, [
    ['debug', 'a', 1],
    ['info', 'b'],
  ])
  assert.equal(lines.length, 1)
  assert.equal(complaints.mock.callCount(), 2)
})
