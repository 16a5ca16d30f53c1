import type {
  ActiveActorsQuestion,
  ActiveActorsRow,
  CountedPath,
  CountsQuestion,
  CountsRow,
  FunnelAnswer,
  FunnelBreakdown,
  FunnelDefinition,
  FunnelTrend,
  LiftRow,
  PathsQuestion,
  RetentionQuestion,
  RetentionRow,
  TimeBetweenAnswer,
} from '@platform-events/analytics'
import type { ActorsQuestion, ActorsTally } from './actors.ts'

interface FunnelQuestion {
  walk: 'funnel'
  definition: FunnelDefinition
  breakdown: FunnelBreakdown | undefined
  /** Groups told apart in the breakdown. */
  limit: number
  trend: FunnelTrend | undefined
  /** Microseconds since 1970. */
  nowMicros: number
}

interface LiftQuestion {
  walk: 'lift'
  definition: FunnelDefinition
  breakdown: FunnelBreakdown
  /** From 1. */
  step: number
}

/** The times of a funnel of two steps. */
interface TimeBetweenQuestion {
  walk: 'time_between'
  definition: FunnelDefinition
}

interface Answers {
  funnel: [FunnelQuestion, FunnelAnswer]
  lift: [LiftQuestion, LiftRow[]]
  actors: [ActorsQuestion, ActorsTally]
  time_between: [TimeBetweenQuestion, TimeBetweenAnswer]
  counts: [CountsQuestion & { walk: 'counts' }, CountsRow[]]
  paths: [PathsQuestion & { walk: 'paths'; limit: number }, CountedPath[]]
  retention: [RetentionQuestion & { walk: 'retention' }, RetentionRow[]]
  active: [ActiveActorsQuestion & { walk: 'active' }, ActiveActorsRow[]]
}

export type WalkName = keyof Answers
export type QuestionOf<Name extends WalkName> = Answers[Name][0]
/** What a worker may be asked; it survives structured clone. */
export type WalkQuestion = QuestionOf<WalkName>
export type WalkAnswer<Q extends WalkQuestion> = Answers[Q['walk']][1]
