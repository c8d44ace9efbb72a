// For compilers that know no `exports`.
export * from './index.js'
export { default } from './index.js'
