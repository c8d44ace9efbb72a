// A header with a list of values is sent once for each.
export const config = { type: 'api', name: 'HeaderList', path: '/responses/header-list', method: 'GET', emits: [] }

export const handler = async () => ({
  status: 200,
  headers: { 'set-cookie': ['a=1', 'b=2; Path=/'], 'x-number': 7 },
  body: {},
})
