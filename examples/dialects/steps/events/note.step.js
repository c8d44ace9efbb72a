// The event step of this folder: it keeps what came under the data's key. Three topics, no `input`, no `emits`, a value returned.
export const config = {
  type: 'event',
  name: 'Note',
  subscribes: ['dialects.noted', 'dialects.dropped', 'dialects:with:colons'],
  flows: ['dialects'],
}

export const handler = async (input, { state, traceId }) => {
  await state.set('notes', input.key, { ...input, traceId })
  return 'nobody reads this'
}
