// Where the system has no signal for it, a thread of its own notices that the engine is gone: the main one may be busy.
import { Worker } from 'node:worker_threads'

const WATCH = (parent) =>
  `setInterval(() => { if (process.ppid !== ${parent}) process.kill(process.pid, 'SIGKILL') }, 500)`

/** Ends this process once `parent` is no longer its parent. */
export function dieWithParent(parent = process.ppid) {
  new Worker(WATCH(parent), { eval: true, env: {}, execArgv: [] }).unref()
}
