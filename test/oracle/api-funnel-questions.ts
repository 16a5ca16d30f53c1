import { microsOf, toJson } from './definition.ts'
import type { Breakdown } from './funnel-answers.ts'
import { byKey, type FunnelExpectations, type Outcome } from './funnel-expected.ts'
import type { Question } from './question.ts'
import { filledBins, liftRow, millionths, totalsRow } from './rows.ts'
import type { Bucket } from './time-zones.ts'

/** POST /v1/funnel with all that it can be asked at once: totals, groups, times and trend. */
export function apiFunnel(
  expected: FunnelExpectations,
  breakdown: Breakdown | null,
  bucket: Bucket,
  timeZone: string,
): Question {
  const body = {
    ...toJson(expected.funnel),
    ...(breakdown ? { breakdown, limit: 1000 } : {}),
    trend: { unit: bucket, time_zone: timeZone },
  }
  return {
    name: 'POST /v1/funnel',
    text: JSON.stringify(body),
    expected: (events) => ({
      totals: expected.totals(events, null),
      groups: breakdown ? expected.totals(events, breakdown) : null,
      times: expected.times(events),
      trend: expected.trend(events, bucket, timeZone),
    }),
    got: async ({ post }) => {
      const answer = await post('funnel', body)
      const percentiles = (times: Times) => [times.p50, times.p75, times.p90].map(millionths)
      return {
        totals: [[null, answer.steps.map(totalsRow)]],
        groups: answer.breakdown
          ? byKey(answer.breakdown.map(({ value, steps }: Group) => [value, steps.map(totalsRow)]))
          : null,
        times: answer.steps.slice(1).map((step: StepTimes) => ({
          name: step.name,
          actors: step.actors,
          fromPrevious: percentiles(step.time_from_previous),
          fromFirst: percentiles(step.time_from_first),
          histogram: filledBins(step.time_from_previous.histogram),
        })),
        trend: answer.trend
          .map(({ bucket, open, steps }: TrendRow) => ({
            bucket: microsOf(bucket),
            open,
            steps: steps.map(({ actors, from_first }) => [actors, from_first]),
          }))
          .filter(({ steps }: { steps: number[][] }) => steps[0]![0]! > 0),
      }
    },
  }
}

export function apiLift(expected: FunnelExpectations, step: number, property: string): Question {
  const body = { ...toJson(expected.funnel), step, property }
  return {
    name: 'POST /v1/funnel/lift',
    text: JSON.stringify(body),
    expected: (events) => expected.lift(events, step, property),
    got: async ({ post }) => byKey((await post('funnel/lift', body)).values.map(liftRow)),
  }
}

/** Page by page; in whatever order, each once. */
export function apiActors(expected: FunnelExpectations, step: number, outcome: Outcome): Question {
  const body = { ...toJson(expected.funnel), step, outcome, limit: 25 }
  return {
    name: 'POST /v1/funnel/actors',
    text: JSON.stringify(body),
    expected: (events) => expected.actors(events, step, outcome),
    got: async ({ post }) => {
      const found: { actor: string; level: number; entered: number; last: number }[] = []
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await post('funnel/actors', { ...body, ...(cursor ? { cursor } : {}) })
        for (const { actor, level, entered_at, last_step_at } of page.actors)
          found.push({ actor, level, entered: microsOf(entered_at), last: microsOf(last_step_at) })
        cursor = page.next_cursor
      }
      return found.sort((a, b) => (a.actor < b.actor ? -1 : 1))
    },
  }
}

interface Times {
  p50: number | null
  p75: number | null
  p90: number | null
  histogram: { actors: number }[]
}

interface StepTimes {
  name: string
  actors: number
  time_from_previous: Times
  time_from_first: Times
}

interface Group {
  value: string | null
  steps: unknown[]
}

interface TrendRow {
  bucket: string
  open: boolean
  steps: { actors: number; from_first: number | null }[]
}
