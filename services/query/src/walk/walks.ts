import {
  type ActiveActorsTally,
  type ActorRange,
  activeActorsAnswer,
  type CountsTally,
  countsAnswer,
  type DaySlice,
  type FunnelTally,
  funnelAnswer,
  funnelLift,
  mergeActiveActors,
  mergeCounts,
  mergePaths,
  mergeRetention,
  mergeTallies,
  type PathsTally,
  pathsAnswer,
  type RetentionTally,
  retentionAnswer,
  tallyActiveActors,
  tallyCounts,
  tallyFunnel,
  tallyPaths,
  tallyRetention,
  timeBetweenAnswer,
} from '@platform-events/analytics'
import { type ActorsTally, mergeActors, tallyActors } from './actors.ts'
import type { QuestionOf, WalkAnswer, WalkName, WalkQuestion } from './questions.ts'

/** A walk in three steps, so that workers can share it: each tallies some of the actors, and one makes the answer of all. */
interface Walk<Name extends WalkName, Tally> {
  tally(question: QuestionOf<Name>, slices: DaySlice[], range: ActorRange): Tally
  merge(a: Tally, b: Tally, question: QuestionOf<Name>): Tally
  answer(question: QuestionOf<Name>, tally: Tally): WalkAnswer<QuestionOf<Name>>
}

const funnel: Walk<'funnel', FunnelTally> = {
  tally: ({ definition, breakdown, trend, nowMicros }, slices, range) =>
    tallyFunnel(slices, definition, { breakdown, trend, nowMicros, range }),
  merge: mergeTallies,
  answer: ({ definition, breakdown, limit }, tally) =>
    funnelAnswer(tally, definition, breakdown === undefined ? {} : { limit }),
}

const lift: Walk<'lift', FunnelTally> = {
  tally: ({ definition, breakdown }, slices, range) =>
    tallyFunnel(slices, definition, { breakdown, nowMicros: 0, range }),
  merge: mergeTallies,
  answer: ({ definition, step }, tally) => funnelLift(tally, definition, step),
}

const timeBetween: Walk<'time_between', FunnelTally> = {
  tally: ({ definition }, slices, range) => tallyFunnel(slices, definition, { nowMicros: 0, range }),
  merge: mergeTallies,
  answer: (_question, tally) => timeBetweenAnswer(tally),
}

const actors: Walk<'actors', ActorsTally> = {
  tally: tallyActors,
  merge: (a, b, question) => mergeActors(question, a, b),
  answer: (_question, tally) => tally,
}

const counts: Walk<'counts', CountsTally> = {
  tally: (question, slices, range) => tallyCounts(slices, question, range),
  merge: mergeCounts,
  answer: (question, tally) => countsAnswer(tally, question),
}

const paths: Walk<'paths', PathsTally> = {
  tally: (question, slices, range) => tallyPaths(slices, question, range),
  merge: mergePaths,
  answer: ({ limit }, tally) => pathsAnswer(tally, limit),
}

const retention: Walk<'retention', RetentionTally> = {
  tally: (question, slices, range) => tallyRetention(slices, question, range),
  merge: mergeRetention,
  answer: (question, tally) => retentionAnswer(tally, question),
}

const active: Walk<'active', ActiveActorsTally> = {
  tally: (question, slices, range) => tallyActiveActors(slices, question, range),
  merge: mergeActiveActors,
  answer: (question, tally) => activeActorsAnswer(tally, question),
}

const WALKS = { funnel, lift, actors, time_between: timeBetween, counts, paths, retention, active }

export function walkOf({ walk }: WalkQuestion): Walk<WalkName, unknown> {
  return WALKS[walk] as Walk<WalkName, unknown>
}
