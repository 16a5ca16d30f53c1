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
export { decodeSegment, encodeSegment } from './segment-format.ts'
export { SegmentFormatError } from './segment-format-bytes.ts'
export { decodeColumn, encodeColumn } from './segment-format-column.ts'
export { BEGIN_READING, SELECT_LATE_ROWS, SELECT_USABLE_DAYS } from './segment-reading.ts'
export { DAY_MICROS, type DaySlice, type PropertyColumn, SOURCE_COLUMN } from './slice.ts'
export type { HistogramBin, TimeDistribution } from './time-distribution.ts'
export { rateOf, wilsonInterval } from './wilson.ts'
