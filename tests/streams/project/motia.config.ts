import { config } from 'motia'

/** `?token=ann` or the subprotocol `token.ann` is ann; no token is nobody; any other token is refused. */
function tokenOf(request: { headers: Record<string, unknown>; url?: string }): string | null {
  const query = new URL(request.url ?? '/', 'http://localhost').searchParams.get('token')
  if (query) return query
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(',')
  const named = offered.map((each) => each.trim()).find((each) => each.startsWith('token.'))
  return named ? named.slice('token.'.length) : null
}

export default config({
  streamAuth: {
    contextSchema: { type: 'object', properties: { user: { type: 'string' } }, required: ['user'] },
    authenticate: async (request: any) => {
      const token = tokenOf(request)
      if (token === null) return null
      if (token !== 'ann') throw new Error('No such token')
      return { user: token }
    },
  },
})
