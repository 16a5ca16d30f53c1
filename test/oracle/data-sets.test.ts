import { describe, expect, it } from 'vitest'
import { makeWorld, type World } from './data-sets.ts'
import { durationOf, isoOf, microsOf, toJson } from './definition.ts'
import { FORMS, type Form, makeFunnel } from './definitions.ts'
import { inOrder } from './events.ts'
import { type Chain, chosenChain } from './funnel.ts'
import { sessionUsers, unitsOf } from './identity.ts'
import { choicesOf } from './random.ts'

const today = Date.parse('2026-06-15T00:00:00Z') * 1000
const worlds = Array.from({ length: 10 }, (_, seed) => makeWorld(seed, 50, today))
const events = worlds.flatMap(({ sets }) => sets.flat())

/** The chains of every unit of every world, and how far each could come. */
function chainsOf(form: Form): { chain: Chain; of: number; world: World }[] {
  const asked = worlds.flatMap((world) =>
    [1, 2, 3].map((nth) => ({ world, choices: choicesOf(10 * world.seed + nth) })),
  )
  return asked.flatMap(({ world, choices }) => {
    const funnel = makeFunnel(form, world, choices)
    return [...unitsOf(world.sets.flat(), funnel.unit).values()].flatMap((unit) => {
      const chain = chosenChain(unit, funnel)
      return chain ? [{ chain, of: funnel.steps.filter((step) => !step.optional).length, world }] : []
    })
  })
}

describe('random data sets', () => {
  it('are the same for the same seed', () => {
    expect(makeWorld(7, 20, today)).toEqual(makeWorld(7, 20, today))
  })

  it('have ties, late events, empty sets, guests who log in and sessions of two users', () => {
    const share = (count: number): number => count / events.length
    const sorted = inOrder(events)
    expect(share(sorted.filter((event, index) => event.at === sorted[index - 1]?.at).length)).toBeGreaterThan(0.3)
    expect(share(events.filter(({ id }) => worlds.some(({ late }) => late.has(id))).length)).toBeGreaterThan(0.1)
    expect(worlds.flatMap(({ sets }) => sets).filter((set) => set.length === 0).length).toBeGreaterThan(10)
    const users = sessionUsers(events)
    expect(events.filter((event) => event.userId === null && users.has(event.sessionId ?? '')).length).toBeGreaterThan(
      100,
    )
    expect(
      events.filter((e) => e.userId !== null && e.sessionId !== null && users.get(e.sessionId) !== e.userId).length,
    ).toBeGreaterThan(30)
  })

  it.each(FORMS)('bring some through, and hold some up: %s', (form) => {
    const chains = chainsOf(form)
    const whole = chains.filter(({ chain, of }) => chain.level === of).length
    expect(whole).toBeGreaterThan(5)
    expect(chains.length - whole).toBeGreaterThan(20)
  })

  it('have exclusions that matter', () => {
    const matter = worlds.filter((world) => {
      const units = [...unitsOf(world.sets.flat(), 'actor').values()]
      return [1, 2, 3, 4].some((nth) => {
        const funnel = makeFunnel('exclusions', world, choicesOf(10 * world.seed + nth))
        const without = { ...funnel, exclude: [] }
        return units.some((unit) => chosenChain(unit, funnel)?.level !== chosenChain(unit, without)?.level)
      })
    })
    expect(matter.length).toBeGreaterThan(2)
  })

  it('make definitions whose JSON says the same', () => {
    const world = worlds[0]!
    const funnel = makeFunnel('exclusions', world, choicesOf(5))
    const json = toJson(funnel)
    expect(microsOf(json['from'] as string)).toBe(funnel.from)
    expect(isoOf(1_764_000_000_123_456)).toBe('2025-11-24T16:00:00.123456Z')
    expect([1, 1_500_000, 86_400_000_000, 86_400_000_001, 120_000_000].map(durationOf)).toEqual([
      'PT0.000001S',
      'PT1.5S',
      'P1D',
      'P1DT0.000001S',
      'PT120S',
    ])
  })
})
