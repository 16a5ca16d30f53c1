import type { DaySlice } from '@platform-events/analytics'
import type { WalkQuestion } from './questions.ts'

/**
 * A part of a walk for one worker: it takes part after part of the actors, as its fellows do, until none is left.
 * `finish` has the tallies of all of them and wants the answer.
 */
export type ToWorker =
  | { taskId: number; kind: 'tally'; question: WalkQuestion; slices: DaySlice[]; parts: Parts }
  | { taskId: number; kind: 'finish'; question: WalkQuestion; tallies: unknown[] }

export type FromWorker =
  | { taskId: number; ok: true; value: unknown }
  | { taskId: number; ok: false; message: string; stack: string | undefined }

/** The actors in parts, over shared memory, which is how a worker hears of a cancellation in the middle of its work. */
export interface Parts {
  /** Part n has the actor numbers from bounds[n] to bounds[n + 1], exclusive. */
  bounds: Float64Array
  /** [0]: the next part that nobody has taken. */
  next: Int32Array
}

/** More than there are parts: nobody takes another. */
export const CANCELLED = 0x4000_0000
