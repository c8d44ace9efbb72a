import type { MotiaPlugin } from '../../motia/index.js'

declare function plugin(...args: any[]): MotiaPlugin
export { plugin }
export default plugin
