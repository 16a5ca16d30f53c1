/** A funnel as it was asked for, checked and with every default filled in. What each field means: docs/analytics.md. */
export interface FunnelDefinition {
  /** 2 to 20. */
  steps: FunnelStep[]
  /** Microseconds since 1970, inclusive. */
  fromMicros: number
  /** Microseconds since 1970, exclusive. */
  toMicros: number
  /** From the first event of a chain to its last, microseconds. */
  windowMicros: number
  mode: FunnelMode
  exclude: Exclusion[]
}

export type FunnelMode = 'ordered' | 'strict' | 'strict_order' | 'unordered'

/** Which events count: one of the types, and all of the filters. */
export interface EventMatch {
  eventTypes: string[]
  where: PropertyFilter[]
}

export interface FunnelStep extends EventMatch {
  name: string
  optional: boolean
}

/** No such event between two steps of a chain, numbered from 1. */
export interface Exclusion extends EventMatch {
  after: number
  before: number
}

export type Scalar = string | number | boolean

export type PropertyFilter =
  | { property: string; op: '=' | '!='; value: Scalar }
  | { property: string; op: 'in'; value: Scalar[] }
  | { property: string; op: '<' | '<=' | '>' | '>='; value: string | number }
  | { property: string; op: 'exists'; value: boolean }
  | { property: string; op: 'contains'; value: Scalar }
