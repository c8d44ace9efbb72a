import { useStreamGroup, useStreamPresence, useStreamState } from '@motiadev/stream-client-react'
import { type FormEvent, useEffect, useState } from 'react'
import type { Todo } from '../steps/todo.stream'
import { add, change, remove } from './api'
import { People, me } from './people'

/** A list, as everybody who looks at it has it. Nothing is kept here: what a step stores comes back by the stream. */
export function List({ name }: { name: string }) {
  const { data, loading } = useStreamGroup<Todo>({ streamName: 'todo', groupId: name })
  const people = useStreamPresence({ streamName: 'todo', groupId: name, info: me })
  const state = useStreamState()
  const [problem, setProblem] = useState('')
  /** Whether it worked. What did not is said until something does, or until the connection is back. */
  const attempt = async (action: Promise<void>) => {
    const wrong = await action.then(
      () => '',
      (error: Error) => error.message,
    )
    setProblem(wrong)
    return wrong === ''
  }
  useEffect(() => {
    if (state === 'open') setProblem('')
  }, [state])

  const todos = [...data].sort((one, other) => one.addedAt - other.addedAt)
  const left = todos.filter((todo) => !todo.done).length
  return (
    <main>
      <header>
        <h1>{name}</h1>
        <People present={people} />
      </header>
      <Add onAdd={(title) => attempt(add(name, title))} />
      {problem && <p role="alert">{problem}</p>}
      <ul aria-busy={loading}>
        {todos.map((todo) => (
          <li key={todo.id} data-done={todo.done}>
            <label>
              <input
                type="checkbox"
                checked={todo.done}
                onChange={() => attempt(change(name, todo.id, { done: !todo.done }))}
              />
              <span>{todo.title}</span>
            </label>
            <button type="button" aria-label={`Remove ${todo.title}`} onClick={() => attempt(remove(name, todo.id))}>
              ×
            </button>
          </li>
        ))}
      </ul>
      <footer>
        <span>{loading ? 'Loading…' : left === 0 ? 'Nothing left to do' : `${left} left to do`}</span>
        <span className="state" data-state={state}>
          {state === 'open' ? 'live' : `${state}…`}
        </span>
      </footer>
    </main>
  )
}

function Add({ onAdd }: { onAdd: (title: string) => Promise<boolean> }) {
  const [title, setTitle] = useState('')
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (!title.trim()) return
    setTitle('')
    // What could not be added is there to be tried again.
    if (!(await onAdd(title.trim()))) setTitle((since) => since || title)
  }
  return (
    <form onSubmit={submit}>
      <input
        aria-label="What is to be done?"
        placeholder="What is to be done?"
        maxLength={200}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <button type="submit">Add</button>
    </form>
  )
}
