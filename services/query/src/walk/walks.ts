import {
  type ActorRange,
  type DaySlice,
  type FunnelTally,
  funnelAnswer,
  mergeTallies,
  tallyFunnel,
} from '@platform-events/analytics'
import { type ActorsQuestion, type ActorsTally, mergeActors, tallyActors } from './actors.ts'
import { liftOf } from './lift.ts'
import type { FunnelQuestion, LiftQuestion, TimeBetweenQuestion, WalkAnswer, WalkQuestion } from './questions.ts'

/** A walk in three steps, so that workers can share it: each tallies some of the actors, and one makes the answer of all. */
export interface Walk<Q extends WalkQuestion, Tally> {
  tally(question: Q, slices: DaySlice[], range: ActorRange): Tally
  merge(a: Tally, b: Tally, question: Q): Tally
  answer(question: Q, tally: Tally): WalkAnswer<Q>
}

const funnel: Walk<FunnelQuestion, FunnelTally> = {
  tally: ({ definition, breakdown, trend, nowMicros }, slices, range) =>
    tallyFunnel(slices, definition, { breakdown, trend, nowMicros, range }),
  merge: mergeTallies,
  answer: ({ definition, breakdown, limit }, tally) =>
    funnelAnswer(tally, definition, breakdown === undefined ? {} : { limit }),
}

const lift: Walk<LiftQuestion, FunnelTally> = {
  tally: ({ definition, breakdown }, slices, range) =>
    tallyFunnel(slices, definition, { breakdown, nowMicros: 0, range }),
  merge: mergeTallies,
  answer: ({ definition, step }, tally) => liftOf(tally, definition, step),
}

const timeBetween: Walk<TimeBetweenQuestion, FunnelTally> = {
  tally: ({ definition }, slices, range) => tallyFunnel(slices, definition, { nowMicros: 0, range }),
  merge: mergeTallies,
  answer({ definition }, tally) {
    const { actors, time_from_previous } = funnelAnswer(tally, definition).steps[1]!
    const sum = tally.times[1]!.fromPrevious.reduce((total, micros) => total + micros, 0)
    return { actors, ...time_from_previous, mean: actors === 0 ? null : Math.round(sum / actors) / 1e6 }
  },
}

const actors: Walk<ActorsQuestion, ActorsTally> = {
  tally: tallyActors,
  merge: (a, b, question) => mergeActors(question, a, b),
  answer: (_question, tally) => tally,
}

const WALKS = { funnel, lift, actors, time_between: timeBetween }

export function walkOf(question: WalkQuestion): Walk<WalkQuestion, unknown> {
  return WALKS[question.walk] as Walk<WalkQuestion, unknown>
}
