// A project that says once what its streams are.
import { Stream } from '@motiadev/stream-client-browser'
import { useStreamGroup, useStreamItem } from '@motiadev/stream-client-react'

interface Order {
  id: string
  total: number
}

declare module '@motiadev/stream-client' {
  interface Streams {
    order: Order
  }
}

const stream = new Stream('ws://host')
const order = stream.subscribeItem('order', 'all', '1').getState()
const orders = stream.subscribeGroup('order', 'all', 'total').getState()
export const totals: number[] = [order?.total ?? 0, ...orders.map(({ total }) => total)]

export function Component() {
  const { data } = useStreamItem({ streamName: 'order', groupId: 'all', id: '1' })
  const { data: all } = useStreamGroup({ streamName: 'order', groupId: 'all', sortKey: 'total' })
  // @ts-expect-error an order has no such field
  useStreamGroup({ streamName: 'order', groupId: 'all', sortKey: 'nothing' })
  const others = useStreamGroup<{ id: string; text: string }>({ streamName: 'note', groupId: 'all' })
  return [data?.total, ...all.map(({ total }) => total.toFixed(2)), ...others.data.map(({ text }) => text)].join(' ')
}
