// A server of which a test says what it does, over sockets that are none.
import { Stream } from '../../index.mjs'

/** `sockets` are all that were asked for, the newest last. */
export function createServer() {
  const sockets = []
  const factory = () => {
    const socket = { sent: [], open: false, closed: false, hears: {} }
    sockets.push(socket)
    return {
      connect() {},
      close() {
        socket.open = false
        socket.closed = true
      },
      send: (text) => socket.sent.push(JSON.parse(text)),
      isOpen: () => socket.open,
      onMessage: (listener) => {
        socket.hears.message = listener
      },
      onOpen: (listener) => {
        socket.hears.open = listener
      },
      onClose: (listener) => {
        socket.hears.close = listener
      },
    }
  }
  const last = () => sockets.at(-1)
  const server = {
    sockets,
    factory,
    sent: (type) => last().sent.filter((message) => message.type === type),
    open() {
      last().open = true
      last().hears.open()
    },
    /** Opens as a server that knows our hello. */
    greet(epoch = 'e1') {
      server.open()
      server.say({ type: 'hello', data: { protocol: 1, epoch } })
    },
    lose() {
      last().open = false
      last().hears.close()
    },
    say: (message) => last().hears.message(JSON.stringify(message)),
  }
  return server
}

/** A stream at a server that is open. `t` closes it. */
export function connect(t, { plain = false, ...options } = {}) {
  const server = createServer()
  const stream = new Stream(server.factory, options)
  t.after(() => stream.close())
  if (plain) server.open()
  else server.greet()
  return { server, stream }
}

let clock = 1000
/** A message of the stream `s` and its group `g`; `more` has what is not as usual. */
export const message = (event, more = {}) => ({ timestamp: clock++, streamName: 's', groupId: 'g', ...more, event })

/** A change of an item, as its data says. */
export const change = (type, data, more = {}) => message({ type, data }, { id: data.id, ...more })

/** Everything that a subscription shows from now on. */
export function watch(subscription) {
  const seen = []
  subscription.addChangeListener((state) => seen.push(state))
  return seen
}
