// Stack traces name this file and its lines, types and all.
interface Answer {
  status: number
  body: unknown
}

export const config = { type: 'api', name: 'Stack', path: '/whereabouts/stack', method: 'GET', emits: [] }

export const handler = async (): Promise<Answer> => {
  const line = new Error('where am I').stack?.split('\n')[1]
  return { status: 200, body: { here: line?.match(/whereabouts\/[^:]+:\d+/)?.[0] } }
}
