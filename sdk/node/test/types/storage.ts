// Custom storage of streams, as the documentation writes it.
import type { StreamAdapter as CoreAdapter } from '@motiadev/core'
import { type BaseStreamItem, StreamAdapter, type StreamConfig, type StreamFilter, type StreamStorage } from 'motia'
import { z } from 'zod'

const schema = z.object({ title: z.string(), done: z.boolean() })
type Todo = z.infer<typeof schema>

declare const database: {
  connect(): Promise<void>
  find<T>(table: string, where: object, options?: object): Promise<T[]>
  upsert<T>(table: string, row: object): Promise<T>
  remove<T>(table: string, where: object): Promise<T[]>
}

class Table extends StreamAdapter<Todo> {
  async get(groupId: string, id: string) {
    const [item] = await database.find<BaseStreamItem<Todo>>(this.streamName, { groupId, id })
    return item ?? null
  }
  async set(groupId: string, id: string, data: Todo) {
    return await database.upsert<BaseStreamItem<Todo>>(this.streamName, { ...data, groupId, id })
  }
  async delete(groupId: string, id: string) {
    const [item] = await database.remove<BaseStreamItem<Todo>>(this.streamName, { groupId, id })
    return item ?? null
  }
  async getGroup(groupId: string) {
    return await database.find<BaseStreamItem<Todo>>(this.streamName, { groupId })
  }
}

class Searchable extends Table {
  override async query(groupId: string, { where, orderBy, orderDirection, limit, offset }: StreamFilter<Todo>) {
    const found = database.find<BaseStreamItem<Todo>>(this.streamName, { groupId, ...where }, { limit, offset })
    return orderBy === undefined && orderDirection !== 'desc' ? await found : []
  }
  override async clear(groupId: string) {
    await database.remove(this.streamName, { groupId })
  }
}

const stream = (baseConfig: StreamConfig['baseConfig']): StreamConfig => ({ name: 'todo', schema, baseConfig })

export const forms: StreamConfig[] = [
  stream({ storageType: 'default' }),
  stream({ storageType: 'custom', factory: () => new Table('todo') }),
  stream({ storageType: 'custom', factory: (name) => new Searchable(name) }),
  {
    name: 'todo',
    schema,
    baseConfig: {
      storageType: 'custom',
      factory: async (name: string) => {
        await database.connect()
        return new Table(name)
      },
    },
  },
]

/** By the other name of the package. */
export const sameClass: StreamAdapter<Todo> = new Table('todo') satisfies CoreAdapter<Todo>

// @ts-expect-error without a factory
export const nowhere: StreamStorage = { storageType: 'custom' }
// @ts-expect-error there is no such storage
export const unknown: StreamStorage = { storageType: 'disk' }
// @ts-expect-error no adapter
export const nothing: StreamStorage = { storageType: 'custom', factory: () => ({ get: () => null }) }
// @ts-expect-error it has no methods to read and write with
export class Incomplete extends StreamAdapter<Todo> {}
