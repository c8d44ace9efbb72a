// By path: an augmentation `declare module 'motia'` has to meet the same interfaces here.
export * from '../../motia/index.js'
