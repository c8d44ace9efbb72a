// Streams as handlers use them: changes of items, and queries typed by the items.
import type { FlowContextStateStreams, MotiaStream, StreamQuery } from 'motia'

type UserId = string & { readonly __brand: 'UserId' }
type Message = { done: boolean; by: { name: string }; tags: string[]; due?: number | null; owner: UserId } & (
  | { kind: 'text'; text: string }
  | { kind: 'image'; url: string }
)

export const changes = async (messages: MotiaStream<Message>) => {
  const item = await messages.update('g', 'i', [{ type: 'increment', path: 'due', by: 2 }, { type: 'remove' }])
  const due: number = item?.due ?? 0
  // @ts-expect-error no such change
  await messages.update('g', 'i', [{ type: 'push', path: 'tags', value: 'x' }])
  // @ts-expect-error there may be nothing left
  item.id
  const count: number = await messages.clear('g')
  return due + count
}

export const queries = async (messages: MotiaStream<Message>, owner: UserId) => {
  const found = await messages.query('g', {
    where: {
      id: 'i',
      done: false,
      owner,
      due: { gte: 1, lt: 5, ne: null, in: [1, null], exists: true },
      kind: { in: ['text'] },
      text: null,
      tags: ['x'],
      by: { eq: { name: 'ada' } },
      'by.name': 'ada',
      'tags.0': { ne: 'y' },
      _createdAt: { gt: Date.now() - 1000 },
    },
    order: ['-due', 'text', '-by.name'],
    limit: 10,
    offset: 0,
  })
  for (const item of found) if (item.kind === 'text') item.text.length
  await messages.query('g')
  await messages.query('g', { order: '-_createdAt' })
  // @ts-expect-error not a member of the items
  await messages.query('g', { where: { dne: false } })
  // @ts-expect-error nor is this, further in
  await messages.query('g', { where: { 'bye.name': 'ada' } })
  // @ts-expect-error not what the member is
  await messages.query('g', { where: { done: 'yes' } })
  // @ts-expect-error
  await messages.query('g', { where: { kind: { in: ['video'] } } })
  // @ts-expect-error no such test
  await messages.query('g', { where: { due: { less: 5 } } })
  // @ts-expect-error an object goes into eq
  await messages.query('g', { where: { by: { name: 'ada' } } })
  // @ts-expect-error not a member
  await messages.query('g', { order: '-deu' })
  // @ts-expect-error
  await messages.query('g', { limits: 1 })
}

// Of streams that nobody has described.
export const loose = async (streams: FlowContextStateStreams, records: MotiaStream<Record<string, unknown>>) => {
  const query: StreamQuery = { where: { x: 1, 'y.z': { lt: 1 } }, order: '-x' }
  await streams.fresh.query('g', query)
  await records.query('g', { where: { x: 1, y: { exists: true } }, order: ['x'] })
}
export const widened = (messages: MotiaStream<Message>): MotiaStream<any> => messages
export const narrowed = (messages: MotiaStream<any>): MotiaStream<Message> => messages
