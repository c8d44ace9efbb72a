// Its config is a string.
export const config = 'api'

export const handler = async () => ({ status: 200, body: {} })
