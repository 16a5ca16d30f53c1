export {
  type ActiveActorsQuestion,
  type ActiveActorsRow,
  type ActiveActorsTally,
  activeActorsAnswer,
  activeActorsRange,
  mergeActiveActors,
  tallyActiveActors,
} from './active-actors.ts'
export {
  type CountsQuestion,
  type CountsRow,
  type CountsTally,
  countsAnswer,
  mergeCounts,
  tallyCounts,
} from './event-counts.ts'
export {
  type FunnelAnswer,
  type FunnelGroup,
  funnelAnswer,
  type StepAnswer,
  type TrendBucket,
} from './funnel-answer.ts'
export type {
  EventMatch,
  Exclusion,
  FunnelDefinition,
  FunnelMode,
  FunnelStep,
  PropertyFilter,
  Scalar,
} from './funnel-definition.ts'
export { funnelLift, type LiftRow } from './funnel-lift.ts'
export {
  type FunnelBreakdown,
  type FunnelTally,
  type FunnelTrend,
  funnelColumns,
  mergeTallies,
  type StepTimes,
  type TallyOptions,
  type TrendTally,
  tallyFunnel,
} from './funnel-tally.ts'
export { type FunnelChain, funnelChains } from './funnel-walk.ts'
export type { ActorRange } from './gather.ts'
export {
  type CountedPath,
  mergePaths,
  type PathsQuestion,
  type PathsTally,
  pathsAnswer,
  tallyPaths,
} from './paths.ts'
export {
  mergeRetention,
  type RetentionQuestion,
  type RetentionRow,
  type RetentionTally,
  retentionAnswer,
  retentionRange,
  tallyRetention,
} from './retention.ts'
export { decodeSegment, encodeSegment } from './segment-format.ts'
export { SEGMENT_FORMAT, SegmentFormatError } from './segment-format-bytes.ts'
export { decodeColumn, encodeColumn } from './segment-format-column.ts'
export { BEGIN_READING, SELECT_USABLE_DAYS } from './segment-reading.ts'
export { DAY_MICROS, type DaySlice, type PropertyColumn, SOURCE_COLUMN } from './slice.ts'
export { TYPE_BREAKDOWN } from './tag-groups.ts'
export { type TimeBetweenAnswer, timeBetweenAnswer } from './time-between.ts'
export type { BucketUnit } from './time-buckets.ts'
export type { HistogramBin, TimeDistribution } from './time-distribution.ts'
export { rateOf, wilsonInterval } from './wilson.ts'
