// The types as programs for 0.x use them: nothing is to be written otherwise.
import {
  type CustomEvent,
  type CustomEventListener,
  type GroupEventMessage,
  type ItemEventMessage,
  type JoinMessage,
  type Listener,
  type Message,
  type SocketAdapter,
  type SocketAdapterFactory,
  Stream,
  type StreamGroupSubscription,
  type StreamItemSubscription,
} from '@motiadev/stream-client'
import { type BrowserStreamOptions, Stream as BrowserStream } from '@motiadev/stream-client-browser'
import { type NodeStreamOptions, Stream as NodeStream } from '@motiadev/stream-client-node'
import {
  MotiaStreamProvider,
  type StreamSubscription,
  useMotiaStream,
  useStreamEventHandler,
  useStreamGroup,
  useStreamItem,
  useStreamPresence,
  useStreamState,
} from '@motiadev/stream-client-react'
import { createElement } from 'react'

interface Todo {
  id: string
  description: string
  dueDate?: string
}

class Adapter implements SocketAdapter {
  connect(): void {}
  close(): void {}
  send(_message: string): void {}
  isOpen(): boolean {
    return true
  }
  onMessage(_callback: (message: string) => void): void {}
  onOpen(_callback: () => void): void {}
  onClose(_callback: () => void): void {}
}
const factory: SocketAdapterFactory = () => new Adapter()
const core = new Stream(factory)

const browser: BrowserStreamOptions = { protocols: ['a', 'b'] }
const node: NodeStreamOptions = { protocols: 'a', token: async () => 'fresh', tokenParam: 'authToken' }
for (const stream of [core, new BrowserStream('ws://host', browser), new NodeStream(() => 'ws://host', node)]) {
  const item: StreamItemSubscription<Todo> = stream.subscribeItem<Todo>('todo', 'inbox', '1')
  const group: StreamGroupSubscription<Todo> = stream.subscribeGroup<Todo>('todo', 'inbox', 'description')
  const one: Todo | null = item.getState()
  const all: Todo[] = group.getState()
  const listener: Listener<Todo[]> = (todos) => todos?.map(({ description }) => description)
  group.addChangeListener(listener)
  group.removeChangeListener(listener)
  item.addChangeListener((todo) => todo?.description.length)
  const onNote: CustomEventListener<{ text: string }> = ({ text }) => text.length
  item.onEvent('note', onNote)
  item.offEvent('note', onNote)
  const off: () => void = group.onGap(() => [one, all])
  group.onClose(off)
  // @ts-expect-error it is no field of a todo
  stream.subscribeGroup<Todo>('todo', 'inbox', 'nothing')
}

export const messages = (join: JoinMessage, item: ItemEventMessage<Todo>, group: GroupEventMessage<Todo>) => {
  const said: Message = { type: 'join', data: join }
  const custom: CustomEvent | null = item.event.type === 'event' ? item.event.event : null
  const first: Todo | null = group.event.type === 'sync' ? group.event.data[0] : null
  return [said, custom, first]
}

export function Component({ id }: { id?: string }) {
  const { stream } = useMotiaStream()
  const { data: todo, event, loading } = useStreamItem<Todo>({ streamName: 'todo', groupId: 'inbox', id })
  const { data: todos } = useStreamGroup<Todo>({
    streamName: 'todo',
    groupId: 'inbox',
    sortKey: 'dueDate',
    setData: (items: Todo[]) => items.length,
  })
  const waiting = useStreamGroup<Todo>(id ? { streamName: 'todo', groupId: id } : undefined)
  const listened: StreamSubscription | null = event
  useStreamEventHandler({ event: listened, type: 'note', listener: (note: { text: string }) => note.text }, [id])
  useStreamEventHandler({ event, type: 'note', listener: () => stream?.close() })
  const state: 'connecting' | 'open' | 'reconnecting' | 'closed' = useStreamState()
  const present = useStreamPresence({ streamName: 'todo', groupId: 'inbox', info: { name: 'Ann' } })
  const spinning: boolean = loading || waiting.loading
  const names: string[] = present.map(({ info }) => info.name)
  const text: string | undefined = todo?.description
  return createElement(
    MotiaStreamProvider,
    { address: 'ws://host', protocols: ['a'], token: () => 'fresh' },
    [spinning, text, state, ...names, ...todos.map(({ description }) => description), waiting.data.length].join(' '),
  )
}
