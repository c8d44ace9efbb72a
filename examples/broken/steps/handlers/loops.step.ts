// Blocks its process for three seconds.
export const config = { type: 'api', name: 'Loops', path: '/handlers/loops', method: 'GET', emits: [] }

export const handler = async () => {
  const end = Date.now() + 3000
  while (Date.now() < end) continue
  return { status: 200, body: { looped: true } }
}
