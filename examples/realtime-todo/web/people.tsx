import type { Presence } from '@motiadev/stream-client-react'

export interface Person {
  name: string
  /** Degrees on the colour wheel. */
  hue: number
}

const ANIMALS = ['Fox', 'Owl', 'Otter', 'Lynx', 'Heron', 'Badger', 'Hare', 'Seal', 'Wren', 'Moth']

/** Who looks at this page: an animal, until it is closed. */
export const me: Person = {
  name: ANIMALS[Math.floor(Math.random() * ANIMALS.length)] ?? 'Fox',
  hue: Math.floor(Math.random() * 360),
}

export function People({ present }: { present: readonly Presence<Person>[] }) {
  return (
    <ul className="people" aria-label="Who is here">
      {present.map(({ presenceId, info }) => (
        <li key={presenceId} title={info.name} style={{ background: `hsl(${info.hue} 55% 45%)` }}>
          {info.name.slice(0, 2)}
        </li>
      ))}
    </ul>
  )
}
