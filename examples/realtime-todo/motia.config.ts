import { defineConfig } from 'motia'

// The page and its script, which `npm run build` makes of `web/`.
export default defineConfig({ static: { '/': 'public' } })
