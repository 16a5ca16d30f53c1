import type {
  FunnelAnswer,
  FunnelBreakdown,
  FunnelDefinition,
  FunnelTrend,
  TimeDistribution,
} from '@platform-events/analytics'
import type { ActorsQuestion, ActorsTally } from './actors.ts'
import type { LiftRow } from './lift.ts'

export interface FunnelQuestion {
  walk: 'funnel'
  definition: FunnelDefinition
  breakdown: FunnelBreakdown | undefined
  /** Groups told apart in the breakdown. */
  limit: number
  trend: FunnelTrend | undefined
  /** Microseconds since 1970. */
  nowMicros: number
}

export interface LiftQuestion {
  walk: 'lift'
  definition: FunnelDefinition
  breakdown: FunnelBreakdown
  /** From 1. */
  step: number
}

/** The times of a funnel of two steps. */
export interface TimeBetweenQuestion {
  walk: 'time_between'
  definition: FunnelDefinition
}

interface TimeBetween extends TimeDistribution {
  actors: number
  /** Seconds. */
  mean: number | null
}

/** What a worker may be asked; it survives structured clone. */
export type WalkQuestion = FunnelQuestion | LiftQuestion | ActorsQuestion | TimeBetweenQuestion

interface WalkAnswers {
  funnel: FunnelAnswer
  lift: LiftRow[]
  actors: ActorsTally
  time_between: TimeBetween
}

export type WalkAnswer<Q extends WalkQuestion> = WalkAnswers[Q['walk']]
