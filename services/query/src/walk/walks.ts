import {
  type ActorRange,
  type DaySlice,
  type FunnelTally,
  funnelAnswer,
  mergeTallies,
  tallyFunnel,
} from '@platform-events/analytics'
import type { FunnelQuestion, WalkAnswer, WalkQuestion } from './questions.ts'

/** A walk in three steps, so that workers can share it: each tallies some of the actors, and one makes the answer of all. */
export interface Walk<Q extends WalkQuestion, Tally> {
  tally(question: Q, slices: DaySlice[], range: ActorRange): Tally
  merge(a: Tally, b: Tally): Tally
  answer(question: Q, tally: Tally): WalkAnswer<Q>
}

const funnel: Walk<FunnelQuestion, FunnelTally> = {
  tally: ({ definition, breakdown, trend, nowMicros }, slices, range) =>
    tallyFunnel(slices, definition, { breakdown, trend, nowMicros, range }),
  merge: mergeTallies,
  answer: ({ definition, breakdown, limit }, tally) =>
    funnelAnswer(tally, definition, breakdown === undefined ? {} : { limit }),
}

const WALKS = { funnel }

export function walkOf(question: WalkQuestion): Walk<WalkQuestion, unknown> {
  return WALKS[question.walk] as Walk<WalkQuestion, unknown>
}
