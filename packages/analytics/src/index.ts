export type {
  EventMatch,
  Exclusion,
  FunnelDefinition,
  FunnelMode,
  FunnelStep,
  PropertyFilter,
  Scalar,
} from './funnel-definition.ts'
export { DAY_MICROS, type DaySlice, type PropertyColumn, SOURCE_COLUMN } from './slice.ts'
