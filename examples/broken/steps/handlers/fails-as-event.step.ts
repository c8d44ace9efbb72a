// An event step that throws each time and may not try again.
export const config = {
  type: 'event',
  name: 'FailsAsEvent',
  subscribes: ['broken.event'],
  emits: [],
  infrastructure: { queue: { maxRetries: 0 } },
}

export const handler = async () => {
  throw new Error('the event failed')
}
