// For compiled ES modules; see interop.cjs.
import interop from './interop.cjs'

export const { $default, $unwrap, $namespace, $import, $importFrom, $require, $resolve } = interop
