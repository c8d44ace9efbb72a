// What the event step kept; null if it kept nothing (yet).
export const config = { type: 'api', name: 'ReadNote', path: '/events/notes/:key', method: 'GET', emits: [] }

export const handler = async (req, { state }) => ({ status: 200, body: await state.get('notes', req.pathParams.key) })
