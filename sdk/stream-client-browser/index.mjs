import { Stream as CoreStream } from '@motiadev/stream-client'
import { webSockets } from '@motiadev/stream-client/websocket'

export { StreamGroupSubscription, StreamItemSubscription, StreamSubscription } from '@motiadev/stream-client'

/** Watches streams over the browser's WebSocket. */
export class Stream extends CoreStream {
  #rest

  constructor(address, options = {}) {
    super(
      webSockets(address, options, (url, protocols) => new WebSocket(url, protocols)),
      options,
    )
    // After sleep, or in another network, nobody wants to wait for the next retry, nor to look at what is dead.
    const wake = ({ type }) => {
      if (globalThis.document?.visibilityState === 'hidden') return
      if (type !== 'offline' || this.state === 'open') this.wake()
    }
    const places = [
      [globalThis, 'online'],
      [globalThis, 'offline'],
      [globalThis.document, 'visibilitychange'],
    ]
    for (const [place, event] of places) place?.addEventListener?.(event, wake)
    this.#rest = () => {
      for (const [place, event] of places) place?.removeEventListener?.(event, wake)
    }
  }

  close() {
    this.#rest()
    super.close()
  }
}
