// What brute force says, in the shape in which answers of SQL and of the API are compared: rates in millionths, times in microseconds.
import { About } from './differences.ts'
import type { OracleEvent } from './events.ts'
import type { OracleFunnel } from './funnel.ts'
import {
  type Breakdown,
  groupsOf,
  isDropped,
  lift,
  type StepTotals,
  times,
  totals,
  trend,
  type Walked,
  walk,
} from './funnel-answers.ts'
import { histogram, percentileDisc, type Rate } from './rates.ts'
import type { Bucket } from './time-zones.ts'

export interface FunnelExpectations {
  funnel: OracleFunnel
  chains(events: readonly OracleEvent[]): unknown
  totals(events: readonly OracleEvent[], breakdown: Breakdown | null): unknown
  times(events: readonly OracleEvent[]): unknown
  trend(events: readonly OracleEvent[], bucket: Bucket, timeZone: string): unknown
  lift(events: readonly OracleEvent[], step: number, property: string): unknown
  actors(events: readonly OracleEvent[], step: number, outcome: Outcome): unknown
}

export type Outcome = 'converted' | 'dropped'

/** The expectations of one definition; a world's events are walked once for all of them. */
export function expectationsOf(funnel: OracleFunnel): FunnelExpectations {
  let last: { events: readonly OracleEvent[]; walked: Walked[] } | undefined
  const walked = (events: readonly OracleEvent[]): Walked[] => {
    if (last?.events !== events) last = { events, walked: walk(events, funnel) }
    return last.walked
  }
  return {
    funnel,
    chains: (events) =>
      byFirstId(
        walked(events).map((unit) => ({
          level: unit.level,
          times: unit.events.map((event) => event?.at ?? null),
          ids: unit.events.map((event) => event?.id ?? null),
        })),
      ),
    totals: (events, breakdown) => {
      const groups = breakdown ? groupsOf(walked(events), funnel, breakdown) : new Map([[null, walked(events)]])
      return byKey([...groups].map(([value, units]) => [value, totals(units, funnel).map(withRates)]))
    },
    times: (events) =>
      funnel.steps.slice(1).map((step, index) => {
        const found = times(walked(events), funnel, index + 1)
        const percentiles = (values: number[]) => [50, 75, 90].map((percent) => percentileDisc(values, percent))
        return {
          name: step.name,
          actors: found.fromFirst.length,
          fromPrevious: percentiles(found.fromPrevious),
          fromFirst: percentiles(found.fromFirst),
          histogram: histogram(found.fromPrevious),
        }
      }),
    trend: (events, bucket, timeZone) =>
      trend(walked(events), funnel, bucket, timeZone, Date.now() * 1000).map(({ actors, ...row }) => ({
        ...row,
        steps: actors.map((count) => [count, new About(count / actors[0]!)]),
      })),
    lift: (events, step, property) =>
      byKey(
        lift(walked(events), funnel, step, property).map(({ value, reached, dropped, dropRate, lift }) => [
          value,
          [reached, dropped, ...bounds(dropRate), lift === null ? null : new About(lift)],
        ]),
      ),
    actors: (events, step, outcome) =>
      walked(events)
        .filter((unit) => (outcome === 'dropped' ? isDropped(unit, funnel, step) : unit.events[step - 1]))
        .map(({ unit, level, events }) => {
          const last = funnel.steps.flatMap((other, index) => (other.optional ? [] : [index]))[level - 1]!
          return { actor: unit, level, entered: events[0]!.at, last: events[last]!.at }
        }),
  }
}

/** Each event is of one unit, so a chain's first event tells whose it is. */
export function byFirstId<T extends { ids: (string | null)[] }>(chains: T[]): T[] {
  return chains.sort((a, b) => (a.ids.join() < b.ids.join() ? -1 : 1))
}

export function byKey<T>(groups: [string | null, T][]): [string | null, T][] {
  return groups.sort(([a], [b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

function withRates({ fromPrevious, fromFirst, ...row }: StepTotals) {
  return { ...row, fromPrevious: bounds(fromPrevious), fromFirst: bounds(fromFirst) }
}

function bounds(rate: Rate | null): unknown[] {
  return rate ? [rate.millionths, new About(rate.low), new About(rate.high)] : [null, null, null]
}
