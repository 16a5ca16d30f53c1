export type { Problem, RetentionReport } from './report.ts'
export { createRetention, type Retention, type RetentionOptions } from './retention.ts'
