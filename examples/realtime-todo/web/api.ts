import type { Todo } from '../steps/todo.stream'

const at = (list: string, id = '') => `/lists/${encodeURIComponent(list)}/todos${id && `/${id}`}`

export const add = (list: string, title: string) => ask('POST', at(list), { title })
export const change = (list: string, id: string, what: Partial<Todo>) => ask('PATCH', at(list, id), what)
export const remove = (list: string, id: string) => ask('DELETE', at(list, id))

async function ask(method: string, path: string, body?: object) {
  const headers = body && { 'content-type': 'application/json' }
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) })
  if (!answer.ok) throw new Error(`That did not work: ${answer.status} ${await answer.text()}`)
}
