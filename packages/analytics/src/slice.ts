/**
 * The events of one UTC day as columns, sorted by (actor number, created_at, id): what walks read, whether it was stored as a
 * segment when the day closed or made from raw rows just now. Typed arrays, which may lie over shared memory.
 */
export interface DaySlice {
  /** Days since 1970-01-01, UTC. */
  day: number
  rows: number
  /** The event type of each code in `typeCodes`. */
  types: string[]
  /** The distinct actor numbers of the day, ascending; 0, which comes first, has the events without an actor. */
  actorNos: Uint32Array
  /** Where the rows of each actor of `actorNos` end, exclusive; they begin where the actor's before it end. */
  actorEnds: Uint32Array
  /** Milliseconds since the day began. */
  ms: Uint32Array
  /** Microseconds beside `ms`, 0 to 999. */
  us: Uint16Array
  /** Index into `types`. */
  typeCodes: Uint8Array | Uint16Array | Uint32Array
  /** By property name; only those that somebody asked for. */
  columns: Map<string, PropertyColumn>
}

/** One top-level property of a day's events. */
export interface PropertyColumn {
  /** The JSON text of each distinct value, as Postgres prints jsonb; days may have one list together, and then it is the same array. */
  values: string[]
  /** A code for each row of the slice; code 0 is "absent". */
  codes: Uint8Array | Uint16Array | Uint32Array
  /** By code, the number of its value: 1 is the first of `values`. Without it the code is that number. */
  numberOfCode?: Uint32Array
}

/** The name under which `source_id` is a column like any property: a JSON number per row. A property of that name cannot be asked for. */
export const SOURCE_COLUMN = '$source'

export const DAY_MICROS = 86_400_000_000
