import type { Analysis } from './analysis.ts'
import { funnel } from './funnel.ts'

/** Every question that can be asked: its path, its forms, who answers it. Routes, CSV, metrics and /openapi.json come from here. */
export const ANALYSES: Analysis[] = [funnel]
