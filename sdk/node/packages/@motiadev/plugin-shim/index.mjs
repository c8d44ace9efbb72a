import plugin from './index.cjs'

export { plugin }
export default plugin
