// Its schedule is none.
export const config = { type: 'cron', name: 'BadCron', cron: 'every now and then', emits: [] }

export const handler = async () => {}
