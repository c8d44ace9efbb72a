export * from '../../motia/index.mjs'
export { default } from '../../motia/index.mjs'
