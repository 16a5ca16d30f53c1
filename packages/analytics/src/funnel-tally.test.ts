import { describe, expect, it } from 'vitest'
import { makeWorld, type World } from '../../../test/oracle/data-sets.ts'
import { microsOf } from '../../../test/oracle/definition.ts'
import { FORMS, makeFunnel } from '../../../test/oracle/definitions.ts'
import type { OracleFunnel } from '../../../test/oracle/funnel.ts'
import {
  type Breakdown,
  groupsOf,
  lift,
  times,
  totals,
  trend,
  type Walked,
  walk,
} from '../../../test/oracle/funnel-answers.ts'
import { unitsOf } from '../../../test/oracle/identity.ts'
import { type Choices, choicesOf } from '../../../test/oracle/random.ts'
import { histogram, percentileDisc, type Rate } from '../../../test/oracle/rates.ts'
import { funnelAnswer, type StepAnswer } from './funnel-answer.ts'
import { funnelLift } from './funnel-lift.ts'
import { type FunnelTally, mergeTallies, type TallyOptions, tallyFunnel } from './funnel-tally.ts'
import { definitionOf, halves, slicesOf } from './test-slices.ts'
import { timeBetweenAnswer } from './time-between.ts'

const TODAY = Date.UTC(2026, 5, 1) * 1000
const CASES = FORMS.flatMap((form) => [1, 2, 3, 4, 5].map((seed) => ({ form, seed })))

describe('what a funnel answers, merged from two ranges of units, is what counting the chains by hand gives', () => {
  it.each(CASES)('$form, $seed', ({ form, seed }) => {
    const choices = choicesOf(seed + 77)
    const world = makeWorld(seed, 15, TODAY)
    const funnel = makeFunnel(form, world, choices)
    const walked = walk(world.sets.flat(), funnel)
    const breakdown = breakdownOf(funnel, choices)
    const unit = choices.oneOf(['day', 'week', 'month'] as const)
    const timeZone = choices.oneOf(['UTC', world.timeZone])
    const nowMicros = choices.oneOf([TODAY, funnel.to - 1])
    const tally = tallyOf(world, funnel, { breakdown, trend: { unit, timeZone }, nowMicros })
    const answer = funnelAnswer(tally, definitionOf(funnel), { limit: 1000 })

    expect(answer.steps.map(rounded)).toEqual(stepsOf(walked, funnel))
    const groups = [...groupsOf(walked, funnel, breakdown)].map(
      ([value, units]) => [value, stepsOf(units, funnel)] as const,
    )
    expect(new Map(answer.breakdown!.map(({ value, steps }) => [value, steps.map(rounded)]))).toEqual(new Map(groups))
    expect(
      answer.trend!.map(({ bucket, open, steps }) => ({
        bucket: microsOf(bucket),
        open,
        actors: steps.map(({ actors }) => actors),
      })),
    ).toEqual(trend(walked, funnel, unit, timeZone, nowMicros))
  })

  it('the groups beyond the limit are summed as one', () => {
    const world = makeWorld(5, 40, TODAY)
    const funnel = makeFunnel('ordered', world, choicesOf(5))
    const tally = tallyOf(world, funnel, { breakdown: { property: 'kind', at: 'first' }, nowMicros: TODAY })
    const all = funnelAnswer(tally, definitionOf(funnel), { limit: 1000 })
    const { breakdown } = funnelAnswer(tally, definitionOf(funnel), { limit: 2 })
    expect(breakdown!.slice(0, 2)).toEqual(all.breakdown!.slice(0, 2))
    expect(breakdown![2]).toMatchObject({ value: null, other: true })
    const entered = breakdown!.map(({ steps }) => steps[0]!.actors)
    expect(entered.reduce((sum, actors) => sum + actors)).toBe(all.steps[0]!.actors)
    expect(breakdown).toHaveLength(3)
  })

  it.each([1, 2, 3, 4, 5])('lift by the property at a step: %s', (seed) => {
    const world = makeWorld(seed, 15, TODAY)
    const funnel = makeFunnel('optional', world, choicesOf(seed))
    const step = 1
    const tally = tallyOf(world, funnel, { breakdown: { property: 'kind', at: step }, nowMicros: TODAY })
    const wanted = lift(walk(world.sets.flat(), funnel), funnel, step, 'kind').map(
      ({ dropRate, lift: factor, ...row }) => ({
        ...row,
        drop_rate: dropRate.millionths / 1e6,
        ...interval(dropRate),
        lift: factor === null ? null : expect.closeTo(factor, 5),
      }),
    )
    const got = funnelLift(tally, definitionOf(funnel), step)
    expect(got).toHaveLength(wanted.length)
    expect(got).toEqual(expect.arrayContaining(wanted))
    expect(got.map(({ dropped }) => dropped)).toEqual(got.map(({ dropped }) => dropped).toSorted((a, b) => b - a))
  })

  it('the time between two events is a funnel of two steps, with its mean', () => {
    const world = makeWorld(1, 40, TODAY)
    const funnel = { ...makeFunnel('ordered', world, choicesOf(1)) }
    funnel.steps = funnel.steps.slice(0, 2)
    const durations = times(walk(world.sets.flat(), funnel), funnel, 1).fromFirst
    const answer = timeBetweenAnswer(tallyOf(world, funnel, { nowMicros: TODAY }))
    expect(durations.length).toBeGreaterThan(3)
    expect(answer.actors).toBe(durations.length)
    expect(answer.mean).toBeCloseTo(durations.reduce((sum, micros) => sum + micros) / durations.length / 1e6, 6)
    expect(answer.p90).toBe(percentileDisc(durations, 90)! / 1e6)
  })
})

/** Tallied in two ranges that have passed through structured clone, as workers' answers do. */
function tallyOf(world: World, funnel: OracleFunnel, options: TallyOptions): FunnelTally {
  const made = slicesOf(unitsOf(world.sets.flat(), funnel.unit), [], world.late)
  const [a, b] = halves(made).map((range) =>
    structuredClone(tallyFunnel(made.slices, definitionOf(funnel), { ...options, range })),
  )
  return mergeTallies(a!, b!)
}

function breakdownOf(funnel: OracleFunnel, choices: Choices): Breakdown & NonNullable<TallyOptions['breakdown']> {
  if (choices.chance(0.3)) return { by: choices.oneOf(['source', 'day']) as 'day' }
  const at = choices.oneOf(['first', 'last', choices.whole(1, funnel.steps.length)] as const)
  return { property: choices.oneOf(['kind', 'n', 'tags', "o'k", 'absent']), at }
}

/** The same numbers in the same shape, from the oracle's chains. */
function stepsOf(walked: Walked[], funnel: OracleFunnel): object[] {
  return totals(walked, funnel).map(({ step, name, actors, dropped, fromPrevious, fromFirst }, index) => {
    const { fromPrevious: previous, fromFirst: first } = index === 0 ? NO_TIMES : times(walked, funnel, index)
    return {
      step,
      name,
      actors,
      dropped,
      from_previous: fromPrevious && { rate: fromPrevious.millionths / 1e6, ...interval(fromPrevious) },
      from_first: fromFirst && { rate: fromFirst.millionths / 1e6, ...interval(fromFirst) },
      time_from_previous: distribution(previous),
      time_from_first: distribution(first),
    }
  })
}

const NO_TIMES = { fromPrevious: [], fromFirst: [] }

function distribution(micros: number[]): object {
  const [p50, p75, p90] = [50, 75, 90].map((percent) => percentileDisc(micros, percent))
  const seconds = (value: number | null | undefined): number | null => (value == null ? null : value / 1e6)
  return { p50: seconds(p50), p75: seconds(p75), p90: seconds(p90), histogram: histogram(micros) }
}

const interval = ({ low, high }: Rate): object => ({ low: expect.closeTo(low, 5), high: expect.closeTo(high, 5) })

function rounded(step: StepAnswer): object {
  const { from_previous, from_previous_low, from_previous_high, from_first, from_first_low, from_first_high } = step
  const filled = <T extends { histogram: { actors: number }[] }>(of: T): T => ({
    ...of,
    histogram: of.histogram.filter(({ actors }) => actors > 0),
  })
  return {
    step: step.step,
    name: step.name,
    actors: step.actors,
    dropped: step.dropped,
    from_previous:
      from_previous === null ? null : { rate: from_previous, low: from_previous_low, high: from_previous_high },
    from_first: from_first === null ? null : { rate: from_first, low: from_first_low, high: from_first_high },
    time_from_previous: filled(step.time_from_previous),
    time_from_first: filled(step.time_from_first),
  }
}
