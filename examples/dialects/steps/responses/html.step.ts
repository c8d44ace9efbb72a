// A string without one is HTML.
export const config = { type: 'api', name: 'HtmlBody', path: '/responses/html', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: '<h1>hello 🐾</h1>' })
