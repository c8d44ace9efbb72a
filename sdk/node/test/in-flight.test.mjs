import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InFlight } from '../lib/in-flight.mjs'

test('what is in flight is found by its number, also where places are taken', () => {
  const flying = new InFlight()
  const expected = new Map()
  let seed = 7
  const random = (below) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let number = 1; number < 20_000; number++) {
    flying.add(number, `v${number}`)
    expected.set(number, `v${number}`)
    // Most end soon, one in ten stays for long.
    const done = random(10) === 0 ? 1 + random(number) : number - random(50)
    flying.delete(done)
    expected.delete(done)
    assert.equal(flying.size, expected.size)
    const some = 1 + random(number)
    assert.equal(flying.get(some), expected.get(some))
  }
  assert.ok(flying.size > 1024)
  assert.deepEqual(flying.latest(), [...expected.values()].reverse())
  for (const number of expected.keys()) flying.delete(number)
  assert.equal(flying.size, 0)
  assert.deepEqual(flying.latest(), [])
  assert.equal(flying.get(0), undefined)
})
