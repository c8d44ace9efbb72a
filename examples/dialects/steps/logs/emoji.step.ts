// Emoji and other scripts go through logs, state and answers unharmed.
export const config = { type: 'api', name: 'Emoji 🚀', path: '/logs/emoji', method: 'GET', emits: [] }

export const handler = async (_req: any, { logger, state }: any) => {
  logger.info('🐾 Ünïcödé 日本語', { '🔑': '👩‍👩‍👧' })
  await state.set('🗂️', '🔑', '👩‍👩‍👧')
  return { status: 200, body: { family: await state.get('🗂️', '🔑') }, headers: { 'x-text': 'plain' } }
}
