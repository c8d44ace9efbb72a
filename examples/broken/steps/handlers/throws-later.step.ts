// Answers, and throws a moment later in a timer: nobody else may notice.
export const config = { type: 'api', name: 'ThrowsLater', path: '/handlers/throws-later', method: 'GET', emits: [] }

export const handler = async () => {
  setTimeout(() => {
    throw new Error('thrown in a timer')
  }, 10)
  return { status: 200, body: { answered: true } }
}
