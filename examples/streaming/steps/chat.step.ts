import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiRequest, ApiRouteConfig, FlowContext, StreamBody } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Chat',
  description: 'Answers word by word, as a model would',
  method: 'GET',
  path: '/chat',
  emits: [],
  flows: ['chat'],
}

/** Stands for a model: takes its time for every word, and stops when nobody listens any more. */
async function* think(question: string, signal: AbortSignal) {
  for (const word of `You asked ${question} and nobody knows`.split(' ')) {
    await sleep(50, undefined, { signal })
    yield word
  }
}

export const handler = async (req: ApiRequest, ctx: FlowContext) => {
  const question = String(req.queryParams.question ?? 'nothing')

  async function* events(): StreamBody {
    const words: string[] = []
    for await (const word of think(question, ctx.signal)) {
      words.push(word)
      yield `data: ${JSON.stringify({ word })}\n\n`
    }
    // Everything is there before the client learns that this is the end.
    await ctx.state.set('chats', ctx.traceId, { question, answer: words.join(' ') })
    yield `event: done\ndata: ${JSON.stringify({ chat: ctx.traceId })}\n\n`
  }

  return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: events() }
}
