/** Where to listen: the bench says it. */
export const address = { host: '127.0.0.1', port: Number(process.env.PORT) }

/** The private Redis of the bench. */
export const redis = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT) }
