import type { GatheredRows } from './gather.ts'

/**
 * Finds the chosen chain among one unit's rows, those from `begin` to `end`: returns its level (0: none) and leaves in `chain` (given
 * when the walk was made) the place of each link's row: of the chains of the highest level the one with the earliest end, then the latest
 * start, then the least vector of times, then the least vector of places. The last two come by themselves where rows are read in order
 * and a chain gives way only to one with a later start.
 */
export type Walk = (rows: GatheredRows, begin: number, end: number) => number

/** No chain stands here: every window from this start has closed. */
export const NEVER = Number.NEGATIVE_INFINITY
