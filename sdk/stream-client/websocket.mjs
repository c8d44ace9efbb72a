/**
 * Makes sockets for `Stream` of a `WebSocket`, the browser's or another of its kind.
 *
 * `address`, and `protocols` and `token` of the options, may be functions: they are asked for each connection anew.
 */
export function webSockets(address, { protocols, token, tokenParam = 'token' } = {}, newSocket) {
  const open = ([url, names, secret]) => adapt(newSocket(locate(url, tokenParam, secret), names))
  return () => {
    const asked = [address, protocols, token].map((value) => (typeof value === 'function' ? value() : value))
    // Where nothing is to be waited for, the socket is there at once, as it always was.
    return asked.some((value) => typeof value?.then === 'function') ? Promise.all(asked).then(open) : open(asked)
  }
}

/** As browsers do it since 2024, a page's own address stands for what is missing, and `http` means `ws`. */
function locate(address, tokenParam, token) {
  const url = new URL(address, globalThis.location?.href)
  url.protocol = url.protocol.replace('http', 'ws')
  if (token !== undefined && token !== null) url.searchParams.set(tokenParam, token)
  return url.href
}

function adapt(socket) {
  // Some classes throw where nobody listens.
  socket.onerror = () => {}
  return {
    connect() {},
    close: () => socket.close(),
    send: (message) => socket.send(message),
    isOpen: () => socket.readyState === 1,
    onMessage: (listener) => {
      socket.onmessage = ({ data }) => listener(data)
    },
    onOpen: (listener) => {
      socket.onopen = listener
    },
    // Node's own sends no close after some errors.
    onClose: (listener) => {
      socket.onclose = socket.onerror = () => listener()
    },
  }
}
