// Plain JavaScript, because a worker begins without what the process reads TypeScript by.
import { register } from 'tsx/esm/api'

register()
await import('./worker.ts')
