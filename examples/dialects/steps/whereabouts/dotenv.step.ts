// Values of `.env` are there when a file is loaded, so a config may be made of them.
const path = process.env.DIALECTS_PATH ?? '/whereabouts/without-dotenv'

export const config = { type: 'api', name: 'Dotenv', path, method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { greeting: process.env.DIALECTS_GREETING } })
