// A string with a content type of its own.
export const config = { type: 'api', name: 'TextBody', path: '/responses/text', method: 'GET', emits: [] }

export const handler = async () => ({
  status: 200,
  headers: { 'Content-Type': 'text/csv' },
  body: 'name;price\nsoup;4,50\n',
})
