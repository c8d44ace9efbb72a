// What the stand-in tells those who say hello (sdk/protocol/streams.md): batches, offsets, resume, pong, presence.
import { setTimeout as sleep } from 'node:timers/promises'

/** As with an engine that asks `canAccess`, what others change meanwhile goes out between two joins. */
const JOIN_DELAY = 3

/** `broken(name)`: whether it does that wrong. */
export function createHello(broken) {
  let epoch = Math.random().toString(36).slice(2)
  /** Each socket that said hello, with what waits to be sent and the joins that wait for their turn. */
  const greeted = new Map()
  /** group → its changes, from the first. */
  const histories = new Map()
  /** presenceId → whose it is and where */
  const present = new Map()
  let offset = 0

  const historyOf = ({ streamName, groupId }) => {
    const key = JSON.stringify([streamName, groupId])
    if (!histories.has(key)) histories.set(key, [])
    return histories.get(key)
  }

  /** Messages of one moment leave as one frame. */
  function send(socket, message) {
    const { batch } = greeted.get(socket)
    if (batch.push(message) > 1) return
    setImmediate(() => {
      const all = batch.splice(0)
      socket.send(JSON.stringify(all.length === 1 ? all[0] : all))
    })
  }

  const isSame = (one, other) =>
    one.streamName === other.streamName && one.groupId === other.groupId && one.id === other.id

  function tellPresence(except, room, data, message) {
    if (broken('silent-presence')) return
    for (const [presenceId, each] of present) {
      if (presenceId !== except && isSame(each.room, room)) send(each.socket, message(room, { type: 'presence', data }))
    }
  }

  function enter(socket, { subscriptionId, presence, streamName, groupId, id }, message) {
    const room = { streamName, groupId, id }
    const presenceId = `p${Math.random().toString(36).slice(2)}`
    present.set(presenceId, { socket, subscriptionId, room, info: presence })
    const all = [...present].filter(([, each]) => isSame(each.room, room))
    const data = { present: all.map(([key, { info }]) => ({ presenceId: key, info })) }
    send(socket, { ...message(room, { type: 'presence', data }), subscriptionId })
    tellPresence(presenceId, room, { joined: { presenceId, info: presence } }, message)
  }

  return {
    /** What is to be known after a restart too. */
    kept: () => ({ epoch, offset, histories: [...histories] }),
    know(kept) {
      epoch = kept.epoch
      offset = kept.offset
      for (const [key, changes] of kept.histories) histories.set(key, changes)
    },
    knows: (socket) => greeted.has(socket),
    send,
    /** Answers what only this protocol has; false for what is to be handled as ever. */
    receive(socket, { type, data }) {
      if (type === 'hello') {
        greeted.set(socket, { batch: [], turn: Promise.resolve() })
        send(socket, { type: 'hello', data: { protocol: 1, epoch } })
      }
      if (type === 'ping' && greeted.has(socket) && !broken('no-pong')) send(socket, { type: 'pong' })
      return type === 'hello' || (type === 'ping' && data === undefined)
    },
    /** One thing after the other, each after a moment. */
    inTurn(socket, act) {
      const known = greeted.get(socket)
      known.turn = known.turn.then(() => sleep(Math.random() * JOIN_DELAY)).then(() => greeted.has(socket) && act())
    },
    /** Notes a change; the answer is its offset. */
    record(message) {
      offset += Math.ceil(Math.random() * 3)
      historyOf(message).push({ ...message, offset })
      return offset
    },
    /** The answer to a join that is allowed. `sync` is the message for who is not to be resumed. */
    answer(socket, subscription, sync, message) {
      const { subscriptionId, id } = subscription
      if (subscription.offset !== undefined && subscription.epoch === epoch && !broken('no-history')) {
        const missed = historyOf(subscription).filter((each) => each.offset > subscription.offset)
        const told = broken('short-replay') ? missed.slice(1) : missed
        for (const each of told) if (id === undefined || id === each.id) send(socket, { ...each, subscriptionId })
        send(socket, { ...message(subscription, { type: 'resumed' }), offset, subscriptionId })
      } else {
        const event = { ...sync.event, ...(subscription.offset === undefined ? {} : { gap: true }) }
        send(socket, { ...sync, event, offset, epoch, subscriptionId })
      }
      if (subscription.presence !== undefined) enter(socket, subscription, message)
    },
    /** Without `subscriptionId` it is the socket that goes. */
    left(socket, subscriptionId, message) {
      if (subscriptionId === undefined) greeted.delete(socket)
      for (const [presenceId, each] of [...present]) {
        if (each.socket !== socket || (subscriptionId !== undefined && each.subscriptionId !== subscriptionId)) continue
        present.delete(presenceId)
        tellPresence(presenceId, each.room, { left: { presenceId } }, message)
      }
    },
  }
}
