import { createHash, randomBytes } from 'node:crypto'
import { request as http } from 'node:http'
import { request as https } from 'node:https'
import { CLOSE, CONTINUATION, FrameReader, PING, PONG, TEXT, writeFrame } from './frames.mjs'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** How long the server has to answer our close, in ms. */
const CLOSE_LIMIT = 2000
/** Without anything to hear for so long (ms), TCP asks whether the other side is still there. */
const TCP_ALIVE = 15_000
const NORMAL = Buffer.from([1000 >> 8, 1000 & 255])

/** As much of the WebSocket of browsers as a stream needs: text alone. */
export class NodeWebSocket {
  readyState = 0
  onopen
  onmessage
  onerror
  onclose
  #request
  #socket
  #reader = new FrameReader()
  #parts = []

  constructor(address, protocols = []) {
    const key = randomBytes(16).toString('base64')
    const offered = [protocols].flat().join(', ')
    const url = new URL(address)
    const ask = url.protocol === 'wss:' ? https : http
    url.protocol = url.protocol.replace('ws', 'http')
    this.#request = ask(url, {
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
        ...(offered && { 'sec-websocket-protocol': offered }),
      },
    })
    this.#request
      .on('upgrade', (response, socket, head) => this.#upgraded(response, socket, head, key))
      .on('response', (response) => this.#fail(new Error(`The server answers ${response.statusCode}`)))
      .on('error', (error) => this.#fail(error))
      .end()
  }

  send(text) {
    if (this.readyState === 1) this.#socket.write(writeFrame(TEXT, Buffer.from(text)))
  }

  close() {
    if (this.readyState === 0) return this.#fail(new Error('It was closed before it was open'))
    if (this.readyState !== 1) return
    this.readyState = 2
    this.#socket.write(writeFrame(CLOSE, NORMAL))
    setTimeout(() => this.#socket.destroy(), CLOSE_LIMIT).unref()
  }

  #upgraded({ headers }, socket, head, key) {
    this.#socket = socket
    socket.on('error', () => {}).on('close', () => this.#ended())
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64')
    if (this.readyState !== 0 || headers['sec-websocket-accept'] !== accept) {
      return this.#fail(new Error('The server is no WebSocket'))
    }
    socket.setNoDelay(true).setKeepAlive(true, TCP_ALIVE)
    this.readyState = 1
    this.onopen?.({ type: 'open' })
    socket.on('data', (chunk) => this.#read(chunk))
    if (head.length > 0) this.#read(head)
  }

  #read(chunk) {
    try {
      for (const frame of this.#reader.push(chunk)) this.#take(frame)
    } catch (error) {
      this.#fail(error)
    }
  }

  #take({ opcode, final, payload }) {
    if (opcode === PING) this.#socket.write(writeFrame(PONG, payload))
    if (opcode === CLOSE) {
      if (this.readyState === 1) this.#socket.write(writeFrame(CLOSE, payload.subarray(0, 2)))
      this.readyState = 2
      this.#socket.end()
    }
    if (opcode !== TEXT && opcode !== CONTINUATION) return
    this.#parts.push(payload)
    if (!final) return
    const data = Buffer.concat(this.#parts).toString()
    this.#parts = []
    if (this.readyState === 1) this.onmessage?.({ type: 'message', data })
  }

  #fail(error) {
    this.#request.destroy()
    this.#socket?.destroy()
    if (this.readyState !== 3) this.onerror?.({ type: 'error', error })
    this.#ended()
  }

  #ended() {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose?.({ type: 'close' })
  }
}
