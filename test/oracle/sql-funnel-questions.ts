import { toJson } from './definition.ts'
import type { Breakdown } from './funnel-answers.ts'
import { byFirstId, byKey, type FunnelExpectations, type Outcome } from './funnel-expected.ts'
import { literal, type Question } from './question.ts'
import { filledBins, liftRow, micros, totalsRow, whole } from './rows.ts'
import type { Bucket } from './time-zones.ts'

/** The chosen chain of every unit: its level, and the time and id of each step. */
export function sqlChains(expected: FunnelExpectations): Question {
  const json = JSON.stringify(toJson(expected.funnel))
  return {
    name: 'funnel_chains',
    text: `select * from events_internal.funnel_chains(${literal(json)})`,
    expected: expected.chains,
    got: async ({ pool }) => {
      const { rows } = await pool.query<{ level: number; times: (string | null)[]; ids: (string | null)[] }>(
        `select level, step_ids::text[] as ids,
           array(select ${micros('t')} from unnest(step_times) with ordinality u (t, n) order by n) as times
         from events_internal.funnel_chains($1) where level > 0`,
        [json],
      )
      return byFirstId(
        rows.map(({ level, times, ids }) => ({
          level,
          times: expected.funnel.steps.map((_, index) => whole(times[index])),
          ids: expected.funnel.steps.map((_, index) => ids[index] ?? null),
        })),
      )
    },
  }
}

/** Totals per step, and per group. */
export function sqlTotals(expected: FunnelExpectations, breakdown: Breakdown | null): Question {
  const { steps, from, to, window, mode, unit, exclude = [] } = toJson(expected.funnel)
  const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value))
  const values = [json(steps), from, to, window, mode, json(unit), json(exclude), json(breakdown)]
  return {
    name: 'conversion_funnel',
    text: `select * from conversion_funnel(${values.map(literal).join(', ')})`,
    expected: (events) => expected.totals(events, breakdown),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        'select * from public.conversion_funnel($1, $2, $3, $4, $5, $6, $7, $8)',
        values,
      )
      const groups = new Map<string | null, unknown[]>()
      for (const { breakdown: value, ...row } of rows.sort((a, b) => a.step - b.step))
        groups.set(value, [...(groups.get(value) ?? []), totalsRow(row)])
      return byKey([...groups])
    },
  }
}

/** Percentiles and histogram of every step but the first, whose times are nothing. */
export function sqlTimes(expected: FunnelExpectations): Question {
  const json = JSON.stringify(toJson(expected.funnel))
  const percentiles = (of: string) => `array[${['p50', 'p75', 'p90'].map((p) => micros(`${p}_${of}`)).join(', ')}]`
  return {
    name: 'funnel_times',
    text: `select * from funnel_times(${literal(json)})`,
    expected: expected.times,
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select name, actors, histogram, ${percentiles('from_previous')} as previous, ${percentiles('from_first')} as first
         from public.funnel_times($1) order by step`,
        [json],
      )
      return rows.slice(1).map((row) => ({
        name: row.name,
        actors: Number(row.actors),
        fromPrevious: row.previous.map(whole),
        fromFirst: row.first.map(whole),
        histogram: filledBins(row.histogram),
      }))
    },
  }
}

export function sqlTrend(expected: FunnelExpectations, bucket: Bucket, timeZone: string): Question {
  const json = JSON.stringify(toJson(expected.funnel))
  return {
    name: 'funnel_trend',
    text: `select * from funnel_trend(${[json, bucket, timeZone].map(literal).join(', ')})`,
    expected: (events) => expected.trend(events, bucket, timeZone),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select ${micros('bucket')} as bucket, open, json_agg(json_build_array(actors, from_first) order by step) as steps
         from public.funnel_trend($1, $2, $3) group by bucket, open order by bucket`,
        [json, bucket, timeZone],
      )
      return rows.filter(({ steps }) => steps[0][0] > 0).map((row) => ({ ...row, bucket: Number(row.bucket) }))
    },
  }
}

export function sqlLift(expected: FunnelExpectations, step: number, property: string): Question {
  const json = JSON.stringify(toJson(expected.funnel))
  return {
    name: 'funnel_lift',
    text: `select * from funnel_lift(${[json, step, property].map(literal).join(', ')})`,
    expected: (events) => expected.lift(events, step, property),
    got: async ({ pool }) =>
      byKey(
        (await pool.query('select * from public.funnel_lift($1, $2, $3)', [json, step, property])).rows.map(liftRow),
      ),
  }
}

export function sqlActors(expected: FunnelExpectations, step: number, outcome: Outcome): Question {
  const json = JSON.stringify(toJson(expected.funnel))
  return {
    name: 'funnel_actors',
    text: `select * from funnel_actors(${[json, step, outcome].map(literal).join(', ')})`,
    expected: (events) => expected.actors(events, step, outcome),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select actor, level, ${micros('entered_at')} as entered, ${micros('last_step_at')} as last
         from public.funnel_actors($1, $2, $3, 1000) order by actor collate "C"`,
        [json, step, outcome],
      )
      return rows.map((row) => ({ ...row, entered: Number(row.entered), last: Number(row.last) }))
    },
  }
}
