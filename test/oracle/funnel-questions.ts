import type { Pool } from '@platform-events/postgres'
import type { World } from './data-sets.ts'
import { toJson } from './definition.ts'
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
import { micros, millionths, type Question, whole } from './question.ts'
import type { Choices } from './random.ts'
import { histogram, percentileDisc, type Rate } from './rates.ts'
import type { Bucket } from './time-zones.ts'

/** What the SQL functions are asked of one definition. */
export function sqlFunnelQuestions(world: World, funnel: OracleFunnel, choices: Choices): Question<Pool>[] {
  const json = JSON.stringify(toJson(funnel))
  // A world's chains are the same for each of its questions.
  let walkedOf: { events: readonly OracleEvent[]; walked: Walked[] } | undefined
  const walked = (events: readonly OracleEvent[]): Walked[] => {
    if (walkedOf?.events !== events) walkedOf = { events, walked: walk(events, funnel) }
    return walkedOf.walked
  }
  const about = { funnel, json, walked }
  const required = funnel.steps.flatMap((step, index) => (step.optional ? [] : [index + 1]))
  const step = choices.oneOf(required.slice(0, -1))
  return [
    chains(about),
    conversions(about, null),
    conversions(about, makeBreakdown(funnel, choices)),
    timesToConvert(about),
    trends(about, choices.oneOf(['day', 'week', 'month']), choices.chance(0.5) ? world.timeZone : 'UTC'),
    lifts(about, step, choices.oneOf(['kind', 'n', 'absent'])),
    actors(about, step, choices.oneOf(['converted', 'dropped'])),
  ]
}

export function makeBreakdown(funnel: OracleFunnel, choices: Choices): Breakdown {
  if (choices.chance(0.3)) return { by: choices.oneOf(['source', 'day']) }
  const at = choices.oneOf(['first', 'last', choices.whole(1, funnel.steps.length)] as const)
  return { property: choices.oneOf(['kind', 'kind', 'n', 'tags', "o'k", 'absent']), at }
}

interface Asked {
  funnel: OracleFunnel
  json: string
  walked(events: readonly OracleEvent[]): Walked[]
}

/** The chosen chain of every unit: its level, and the time and id of each step. */
function chains({ funnel, json, walked }: Asked): Question<Pool> {
  const steps = funnel.steps.map((_, index) => index)
  return {
    name: 'funnel_chains',
    text: `select * from events_internal.funnel_chains('${json.replaceAll("'", "''")}')`,
    expected: (events) =>
      sorted(
        walked(events).map((unit) => ({
          level: unit.level,
          times: unit.events.map((event) => event?.at ?? null),
          ids: unit.events.map((event) => event?.id ?? null),
        })),
      ),
    got: async (pool) => {
      const { rows } = await pool.query<{ level: number; times: (string | null)[]; ids: (string | null)[] }>(
        `select level, step_ids::text[] as ids,
           array(select ${micros('t')} from unnest(step_times) with ordinality u (t, n) order by n) as times
         from events_internal.funnel_chains($1) where level > 0`,
        [json],
      )
      return sorted(
        rows.map(({ level, times, ids }) => ({
          level,
          times: steps.map((index) => whole(times[index])),
          ids: steps.map((index) => ids[index] ?? null),
        })),
      )
    },
  }
}

function sorted<T extends { ids: (string | null)[] }>(chains: T[]): T[] {
  return chains.sort((a, b) => (a.ids.join() < b.ids.join() ? -1 : 1))
}

/** Totals per step, and per group. */
function conversions({ funnel, json, walked }: Asked, breakdown: Breakdown | null): Question<Pool> {
  const { steps, unit, exclude = [] } = JSON.parse(json)
  const { from, to, window } = JSON.parse(json)
  const values = [steps, from, to, window, funnel.mode, unit, exclude, breakdown].map((value) =>
    typeof value === 'string' && value !== unit ? value : JSON.stringify(value),
  )
  return {
    name: 'conversion_funnel',
    text: `select * from conversion_funnel(${values.map((value) => `'${value?.replaceAll("'", "''")}'`).join(', ')})`,
    expected: (events) => {
      const groups = breakdown ? groupsOf(walked(events), funnel, breakdown) : new Map([[null, walked(events)]])
      return byKey([...groups].map(([value, units]) => [value, totals(units, funnel).map(ratesOf)]))
    },
    got: async (pool) => {
      const { rows } = await pool.query(
        'select * from public.conversion_funnel($1, $2, $3, $4, $5, $6, $7, $8)',
        breakdown ? values : [...values.slice(0, -1), null],
      )
      const groups = new Map<string | null, unknown[]>()
      for (const { breakdown: value, ...row } of rows.sort((a, b) => a.step - b.step))
        groups.set(value, [...(groups.get(value) ?? []), readRates(row)])
      return byKey([...groups])
    },
  }
}

/** As totals should read. */
export function ratesOf({ fromPrevious, fromFirst, ...row }: StepTotals) {
  const bounds = (rate: Rate | null) =>
    rate ? [rate.millionths, new About(rate.low), new About(rate.high)] : [null, null, null]
  return { ...row, fromPrevious: bounds(fromPrevious), fromFirst: bounds(fromFirst) }
}

/** Totals as SQL's row and the API's object have them. */
// biome-ignore lint/suspicious/noExplicitAny: a row as it comes
export function readRates(row: any) {
  const number = (value: unknown): number | null => (value === null ? null : Number(value))
  const bounds = (of: string) => [millionths(row[of]), number(row[`${of}_low`]), number(row[`${of}_high`])]
  return {
    step: row.step,
    name: row.name,
    actors: Number(row.actors),
    dropped: whole(row.dropped),
    fromPrevious: bounds('from_previous'),
    fromFirst: bounds('from_first'),
  }
}

export function byKey<T>(groups: [string | null, T][]): [string | null, T][] {
  return groups.sort(([a], [b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

/** Percentiles and histogram of every step but the first, whose times are nothing. */
function timesToConvert({ funnel, json, walked }: Asked): Question<Pool> {
  const columns = ['p50', 'p75', 'p90'].flatMap((p) => [`${p}_from_previous`, `${p}_from_first`])
  return {
    name: 'funnel_times',
    text: `select * from funnel_times('${json.replaceAll("'", "''")}')`,
    expected: (events) =>
      funnel.steps
        .map((step, index) => {
          const found = times(walked(events), funnel, index)
          return {
            step: index + 1,
            name: step.name,
            actors: found.fromFirst.length,
            percentiles: [50, 75, 90].flatMap((percent) => [
              percentileDisc(found.fromPrevious, percent),
              percentileDisc(found.fromFirst, percent),
            ]),
            histogram: histogram(found.fromPrevious),
          }
        })
        .slice(1),
    got: async (pool) => {
      const { rows } = await pool.query(
        `select step, name, actors, histogram, ${columns.map((column) => `${micros(column)} as ${column}`).join(', ')}
         from public.funnel_times($1) order by step`,
        [json],
      )
      return rows.slice(1).map((row) => ({
        step: row.step,
        name: row.name,
        actors: Number(row.actors),
        percentiles: columns.map((column) => whole(row[column])),
        histogram: (row.histogram ?? []).filter((bin: { actors: number }) => bin.actors > 0),
      }))
    },
  }
}

function trends({ funnel, json, walked }: Asked, bucket: Bucket, timeZone: string): Question<Pool> {
  return {
    name: 'funnel_trend',
    text: `select * from funnel_trend('${json.replaceAll("'", "''")}', '${bucket}', '${timeZone}')`,
    expected: (events) =>
      trend(walked(events), funnel, bucket, timeZone, Date.now() * 1000).map(({ actors, ...row }) => ({
        ...row,
        steps: funnel.steps.map(({ name }, index) => [name, actors[index], new About(actors[index]! / actors[0]!)]),
      })),
    got: async (pool) => {
      const { rows } = await pool.query(
        `select ${micros('bucket')} as bucket, open, json_agg(json_build_array(name, actors, from_first) order by step) as steps
         from public.funnel_trend($1, $2, $3) group by bucket, open order by bucket`,
        [json, bucket, timeZone],
      )
      return rows.filter(({ steps }) => steps[0][1] > 0).map((row) => ({ ...row, bucket: Number(row.bucket) }))
    },
  }
}

function lifts({ funnel, json, walked }: Asked, step: number, property: string): Question<Pool> {
  return {
    name: 'funnel_lift',
    text: `select * from funnel_lift('${json.replaceAll("'", "''")}', ${step}, '${property}')`,
    expected: (events) =>
      byKey(
        lift(walked(events), funnel, step, property).map(({ value, reached, dropped, dropRate, lift }) => [
          value,
          [
            reached,
            dropped,
            dropRate.millionths,
            new About(dropRate.low),
            new About(dropRate.high),
            lift === null ? null : new About(lift),
          ],
        ]),
      ),
    got: async (pool) => {
      const { rows } = await pool.query('select * from public.funnel_lift($1, $2, $3)', [json, step, property])
      return byKey(
        rows.map((row) => [
          row.value,
          [
            Number(row.reached),
            Number(row.dropped),
            millionths(row.drop_rate),
            Number(row.low),
            Number(row.high),
            row.lift === null ? null : Number(row.lift),
          ],
        ]),
      )
    },
  }
}

function actors({ funnel, json, walked }: Asked, step: number, outcome: 'converted' | 'dropped'): Question<Pool> {
  return {
    name: 'funnel_actors',
    text: `select * from funnel_actors('${json.replaceAll("'", "''")}', ${step}, '${outcome}')`,
    expected: (events) =>
      walked(events)
        .filter((unit) => (outcome === 'dropped' ? isDropped(unit, funnel, step) : unit.events[step - 1]))
        .map(({ unit, level, events }) => {
          const last = funnel.steps.flatMap((other, index) => (other.optional ? [] : [index]))[level - 1]!
          return { actor: unit, level, entered: events[0]!.at, last: events[last]!.at }
        }),
    got: async (pool) => {
      const { rows } = await pool.query(
        `select actor, level, ${micros('entered_at')} as entered, ${micros('last_step_at')} as last
         from public.funnel_actors($1, $2, $3, 1000) order by actor collate "C"`,
        [json, step, outcome],
      )
      return rows.map((row) => ({ ...row, entered: Number(row.entered), last: Number(row.last) }))
    },
  }
}
