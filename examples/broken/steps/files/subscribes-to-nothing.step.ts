// An event step without a topic.
export const config = { type: 'event', name: 'SubscribesToNothing', subscribes: [], emits: [] }

export const handler = async () => {}
