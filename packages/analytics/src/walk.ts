import type { GatheredRows } from './gather.ts'

/**
 * Finds the chosen chain among one unit's rows, those from `begin` to `end`: returns its level (0: none) and leaves in `chain` (given
 * when the walk was made) the place of each link's row. "Better" among chains of one level, always: the earlier end, then the later
 * start, then the lesser vector of times, then the lesser vector of places.
 */
export type Walk = (rows: GatheredRows, begin: number, end: number) => number

/** No chain stands here: every window from this start has closed. */
export const NEVER = Number.NEGATIVE_INFINITY
