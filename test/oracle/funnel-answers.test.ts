import { describe, expect, it } from 'vitest'
import { draw, funnelOf } from './drawn.ts'
import type { OracleEvent } from './events.ts'
import { groupsOf, lift, times, totals, trend, walk } from './funnel-answers.ts'
import { histogram, percentileDisc, rateOf } from './rates.ts'

/** Several people, each drawn with a session of their own. */
function people(...drawings: string[]): OracleEvent[] {
  return drawings.flatMap((drawn, person) =>
    draw(drawn).map((event) => ({ ...event, id: `${person}${event.id.slice(1)}`, sessionId: `s${person}` })),
  )
}

describe('what a funnel answers', () => {
  const steps = ['A', { eventTypes: ['B'], optional: true, name: 'B' }, 'C', 'D']
  const funnel = funnelOf(steps)
  const events = people('A1 B2 C3 D4', 'A1 C5', 'A1 B2', 'A7 D9', 'B1 C2 D3')
  const walked = walk(events, funnel)

  it('actors, and who dropped, against the required step before', () => {
    expect(totals(walked, funnel).map(({ actors, dropped }) => [actors, dropped])).toEqual([
      [4, 0],
      [2, null],
      [2, 2],
      [1, 1],
    ])
    expect(totals(walked, funnel).map(({ fromPrevious }) => fromPrevious?.millionths)).toEqual([
      1_000_000, 500_000, 500_000, 500_000,
    ])
    expect(totals(walked, funnel).map(({ fromFirst }) => fromFirst?.millionths)).toEqual([
      1_000_000, 500_000, 500_000, 250_000,
    ])
  })

  it('no rate of nobody', () => {
    expect(totals([], funnel).map(({ fromPrevious, fromFirst }) => [fromPrevious, fromFirst])).toEqual(
      Array(4).fill([null, null]),
    )
  })

  it('times: to an optional step from the nearest before it, to a required one from the required one before it', () => {
    expect(times(walked, funnel, 1)).toEqual({ fromPrevious: [1, 1], fromFirst: [1, 1] })
    expect(times(walked, funnel, 2)).toEqual({ fromPrevious: [2, 4], fromFirst: [2, 4] })
    expect(times(walked, funnel, 3)).toEqual({ fromPrevious: [1], fromFirst: [3] })
  })

  it('groups by a property at a step, each unit in one; null where the chain has no such event', () => {
    const valued = events.map((event) => ({ ...event, properties: { v: `"${event.eventType}${event.at}"` } }))
    const sizes = (at: 'first' | 'last' | number) =>
      [...groupsOf(walk(valued, funnel), funnel, { property: 'v', at })].map(([value, units]) => [value, units.length])
    expect(sizes('first')).toEqual([
      ['A1', 3],
      ['A7', 1],
    ])
    expect(sizes('last')).toEqual([
      ['D4', 1],
      ['C5', 1],
      ['A1', 1],
      ['A7', 1],
    ])
    expect(sizes(2)).toEqual([
      ['B2', 2],
      [null, 2],
    ])
  })

  it('a trend by the start of the chain; open while somebody’s window is not over', () => {
    const hour = 3_600_000_000
    const late = events.map((event) => ({ ...event, at: event.at + 26 * hour }))
    const wide = { ...funnel, to: 1000 * hour, window: 100 * hour }
    const open = (now: number) => trend(walk(late, wide), wide, 'day', 'UTC', now).map((bucket) => bucket.open)
    expect(trend(walk(late, wide), wide, 'day', 'UTC', 1000 * hour)[0]).toEqual({
      bucket: 24 * hour,
      open: false,
      actors: [4, 2, 2, 1],
    })
    expect(open(148 * hour)).toEqual([false])
    expect(open(148 * hour - 1)).toEqual([true])
  })

  it('lift: how much oftener those with a value drop than all', () => {
    const valued = events.map((event) => ({ ...event, properties: { v: event.at === 1 ? '1' : '7' } }))
    const rows = lift(walk(valued, funnel), funnel, 1, 'v').map(({ value, reached, dropped, lift }) => [
      value,
      reached,
      dropped,
      lift,
    ])
    expect(rows).toEqual([
      ['1', 3, 1, 1 / 3 / 0.5],
      ['7', 1, 1, 2],
    ])
  })
})

describe('rates', () => {
  it('have the interval of Wilson: 1 of 10 is 1.8 % to 40.4 %', () => {
    const { millionths, low, high } = rateOf(1, 10)!
    expect([millionths, low.toFixed(4), high.toFixed(4)]).toEqual([100_000, '0.0179', '0.4042'])
  })
  it('are rounded half up', () => {
    expect(rateOf(1, 128)!.millionths).toBe(7813)
  })
})

describe('percentiles', () => {
  it('are values that occur, as percentile_disc takes them', () => {
    expect([50, 75, 90].map((percent) => percentileDisc([1, 2, 3, 4], percent))).toEqual([2, 3, 4])
    expect(percentileDisc([7], 50)).toBe(7)
    expect(percentileDisc([], 50)).toBeNull()
  })
})

describe('a histogram', () => {
  it('holds a value in the bin that begins with it', () => {
    expect(histogram([0, 9_999_999, 10_000_000, 2_592_000_000_000])).toEqual([
      { from_seconds: 0, to_seconds: 10, actors: 2 },
      { from_seconds: 10, to_seconds: 30, actors: 1 },
      { from_seconds: 2_592_000, to_seconds: null, actors: 1 },
    ])
  })
})
