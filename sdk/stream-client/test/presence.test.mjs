import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, message } from './support/fake.mjs'

const presence = (data, more) => message({ type: 'presence', data }, more)
const [ann, bob] = ['ann', 'bob'].map((name) => ({ presenceId: name[0], info: { name } }))

test('a subscription tells who is there where it is there itself', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { server, stream } = connect(t)
  const group = stream.subscribeGroup('s', 'g', undefined, { presence: ann.info })
  assert.deepEqual([server.sent('join')[0].data.presence, group.presence], [ann.info, []])
  const seen = []
  const off = group.onPresence((present) => seen.push(present.map(({ presenceId }) => presenceId).join('')))
  server.say(presence({ present: [ann] }))
  server.say(presence({ joined: bob }))
  server.say(presence({ joined: bob }))
  server.say(presence({ left: { presenceId: 'a' } }))
  server.say(presence({ left: { presenceId: 'unknown' } }))
  server.say(presence({ joined: ann }, { id: '1' }))
  assert.deepEqual([seen, group.presence], [['a', 'ab', 'ab', 'b', 'b'], [bob]])
  server.lose()
  t.mock.timers.tick(500)
  server.greet()
  assert.deepEqual(server.sent('join')[0].data.presence, ann.info)
  assert.deepEqual(group.presence, [bob])
  off()
  server.say(presence({ present: [ann, bob] }))
  assert.deepEqual([seen.length, group.presence], [5, [ann, bob]])
})

test('the presence of an item is not that of its group', (t) => {
  const { server, stream } = connect(t)
  const item = stream.subscribeItem('s', 'g', '1', { presence: 'here' })
  const silent = stream.subscribeItem('s', 'g', '1')
  server.say(presence({ present: [ann] }))
  server.say(presence({ present: [bob] }, { id: '1' }))
  assert.deepEqual(item.presence, [bob])
  assert.equal('presence' in server.sent('join')[1].data, false)
  assert.deepEqual(silent.presence, [])
})

test('two who are there over one connection are each told of all', (t) => {
  const { server, stream } = connect(t)
  const [first, second] = [ann, bob].map(({ info }) => stream.subscribeGroup('s', 'g', undefined, { presence: info }))
  const named = ({ sub }) => ({ subscriptionId: sub.subscriptionId })
  server.say(presence({ present: [ann] }, named(first)))
  server.say(presence({ present: [ann, bob] }, named(second)))
  server.say(presence({ joined: bob }))
  assert.deepEqual([first.presence, second.presence], Array(2).fill([ann, bob]))
})
