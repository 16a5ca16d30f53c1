import type { Day } from './day.ts'

/** What one run did, and what it could not do. */
export interface RetentionReport {
  /** Days that got a partition. */
  premade: Day[]
  /** Days that a killed process had left half detached, or detached, and that are whole again. */
  repaired: Day[]
  /** Days whose rows are gone. */
  dropped: Day[]
  /** Days that got their GIN, a fresh covering index and frozen rows. */
  closed: Day[]
  /** Closed days whose segment was built, for the first time or again because of late events. */
  segmented: Day[]
  /** Closed days that no segment can hold: they are always read raw. */
  leftRaw: { day: Day; reason: string }[]
  /** Empty after a run that did all there was to do. */
  problems: Problem[]
}

export interface Problem {
  step: 'connect' | 'lock' | 'clock' | 'premake' | 'repair' | 'drop' | 'close' | 'segment' | 'anonymise' | 'missing'
  day?: Day
  message: string
}
