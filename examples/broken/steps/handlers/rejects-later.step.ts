// Answers, and leaves a promise behind that fails.
export const config = { type: 'api', name: 'RejectsLater', path: '/handlers/rejects-later', method: 'GET', emits: [] }

export const handler = async () => {
  setTimeout(() => Promise.reject(new Error('rejected in a timer')), 10)
  return { status: 200, body: { answered: true } }
}
