// An OPTIONS step answers its own preflights.
export const config = { type: 'api', name: 'OptionsRoute', path: '/routes/options', method: 'OPTIONS', emits: [] }

export const handler = async () => ({
  status: 204,
  headers: { allow: 'GET', 'access-control-allow-origin': 'https://example.com' },
})
