import { activeActors } from './active-actors.ts'
import type { Analysis } from './analysis.ts'
import { eventCounts } from './counts.ts'
import { eventProperties } from './event-properties.ts'
import { explain } from './explain.ts'
import { funnel } from './funnel.ts'
import { funnelActors } from './funnel-actors.ts'
import { lift } from './lift.ts'
import { paths } from './paths.ts'
import { retention } from './retention.ts'
import { timeBetween } from './time-between.ts'
import { topValues } from './top-values.ts'

/** Every question that can be asked: its path, its forms, who answers it. Routes, CSV, metrics and /openapi.json come from here. */
export const ANALYSES: Analysis[] = [
  funnel,
  funnelActors,
  lift,
  explain,
  eventCounts,
  paths,
  retention,
  activeActors,
  timeBetween,
  topValues,
  eventProperties,
]
