/** Whose events are walked: a person (or the session that no person is known for), a session, or what shares a property's value. */
export type Unit = 'actor' | 'session' | { property: string }

/** What a walk wants to see of the events. */
export interface Wanted {
  /** Microseconds since 1970: [from, to). */
  fromMicros: number
  toMicros: number
  unit: Unit
  /** Null: of every type. */
  eventTypes: string[] | null
  /** Names of properties, by `columnOf`, and SOURCE_COLUMN. */
  columns: string[]
  /** Event types of which alone a column is looked at, by its name; the others may come without its value. Absent: all. */
  columnTypes?: ReadonlyMap<string, readonly string[]>
  /** Whether it matters in which order the events of one microsecond come; otherwise an index alone answers. */
  sequence: boolean
  /** Whether events that belong to nobody are seen too, as those of actor 0. */
  nobody: boolean
}
