import { setTimeout } from 'node:timers/promises'

export const started: string = await setTimeout(10, 'started')
