import motia from './index.cjs'

export const {
  config,
  defineConfig,
  Logger,
  globalLogger,
  StreamAdapter,
  MemoryStateAdapter,
  FileStateAdapter,
  MemoryStreamAdapterManager,
  FileStreamAdapterManager,
  DefaultQueueEventAdapter,
  DefaultCronAdapter,
} = motia
export default motia
