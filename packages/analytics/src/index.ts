export type {
  EventMatch,
  Exclusion,
  FunnelDefinition,
  FunnelMode,
  FunnelStep,
  PropertyFilter,
  Scalar,
} from './funnel-definition.ts'
export { decodeSegment, encodeSegment } from './segment-format.ts'
export { SegmentFormatError } from './segment-format-bytes.ts'
export { decodeColumn, encodeColumn } from './segment-format-column.ts'
export { BEGIN_READING, SELECT_LATE_ROWS, SELECT_USABLE_DAYS } from './segment-reading.ts'
export { DAY_MICROS, type DaySlice, type PropertyColumn, SOURCE_COLUMN } from './slice.ts'
