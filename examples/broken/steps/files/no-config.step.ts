// Has no config.
export const handler = async () => ({ status: 200, body: {} })
