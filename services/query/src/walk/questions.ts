import type { FunnelAnswer, FunnelBreakdown, FunnelDefinition, FunnelTrend } from '@platform-events/analytics'

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

/** What a worker may be asked; it survives structured clone. */
export type WalkQuestion = FunnelQuestion

interface WalkAnswers {
  funnel: FunnelAnswer
}

export type WalkAnswer<Q extends WalkQuestion> = WalkAnswers[Q['walk']]
