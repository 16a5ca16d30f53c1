import { describe, expect, it } from 'vitest'
import { activeActors } from './active.ts'
import { type CountsQuestion, eventCounts } from './counts.ts'
import { draw } from './drawn.ts'
import type { OracleEvent } from './events.ts'
import { type PathsQuestion, paths } from './paths.ts'
import { type RetentionQuestion, retention } from './retention.ts'
import { bucketEnd, bucketStart, lastTransitions } from './time-zones.ts'

const HOUR = 3_600_000_000
const instant = (iso: string): number => Date.parse(iso) * 1000
const later = (events: OracleEvent[], start: number, unit: number): OracleEvent[] =>
  events.map((event) => ({ ...event, at: start + event.at * unit }))

describe('buckets in a time zone', () => {
  it('the day when clocks go back in Berlin has 25 hours, and the one when they go forward 23', () => {
    const day = (iso: string) => {
      const start = bucketStart('Europe/Berlin', 'day', instant(iso))
      return [start, (bucketEnd('Europe/Berlin', 'day', start) - start) / HOUR]
    }
    expect(day('2025-10-26T12:00Z')).toEqual([instant('2025-10-25T22:00Z'), 25])
    expect(day('2025-03-30T12:00Z')).toEqual([instant('2025-03-29T23:00Z'), 23])
    expect(lastTransitions('Europe/Berlin', instant('2025-12-01T00:00Z'), 2)).toEqual([
      instant('2025-10-26T01:00Z'),
      instant('2025-03-30T01:00Z'),
    ])
  })
  it('an hour that comes twice is two buckets', () => {
    expect(bucketStart('Europe/Berlin', 'hour', instant('2025-10-26T00:30Z'))).toBe(instant('2025-10-26T00:00Z'))
    expect(bucketStart('Europe/Berlin', 'hour', instant('2025-10-26T01:30Z'))).toBe(instant('2025-10-26T01:00Z'))
    expect(bucketStart('America/St_Johns', 'hour', instant('2025-10-01T00:10Z'))).toBe(instant('2025-09-30T23:30Z'))
  })
  it('a day may begin at one o’clock, where midnight is left out', () => {
    expect(bucketStart('Asia/Beirut', 'day', instant('2025-03-30T12:00Z'))).toBe(instant('2025-03-29T22:00Z'))
  })
  it('weeks begin on Monday, months on the first', () => {
    expect(bucketStart('UTC', 'week', instant('2025-10-26T12:00Z'))).toBe(instant('2025-10-20T00:00Z'))
    expect(bucketEnd('America/Bogota', 'month', instant('2025-10-26T12:00Z'))).toBe(instant('2025-11-01T05:00Z'))
  })
})

describe('counts', () => {
  const start = instant('2025-10-26T00:00Z')
  const events = later(draw('A0 B0 A1 A25'), start, HOUR)
  const ask = (changes: Partial<CountsQuestion>) =>
    eventCounts(events, {
      types: null,
      from: start,
      to: start + 49 * HOUR,
      bucket: 'day',
      breakdown: null,
      filter: [],
      timeZone: 'UTC',
      ...changes,
    }).map(({ bucket, value, events, actors }) => [(bucket - start) / HOUR, value, events, actors])

  it('have every bucket, empty ones too', () => {
    expect(ask({})).toEqual([
      [0, null, 3, 1],
      [24, null, 1, 1],
      [48, null, 0, 0],
    ])
  })
  it('count in the zone asked for', () => {
    expect(ask({ timeZone: 'Europe/Berlin', types: ['A'] })).toEqual([
      [-2, null, 2, 1],
      [23, null, 1, 1],
      [47, null, 0, 0],
    ])
  })
  it('broken down have only what is there', () => {
    expect(ask({ breakdown: '$event_type' })).toEqual([
      [0, 'A', 2, 1],
      [0, 'B', 1, 1],
      [24, 'A', 1, 1],
    ])
  })
})

describe('paths', () => {
  const walk = (drawn: string, changes: Partial<PathsQuestion>) =>
    paths(draw(drawn), {
      start: null,
      end: null,
      from: 0,
      to: 1000,
      depth: 3,
      window: 10,
      types: null,
      ...changes,
    }).map(({ path, occurrences }) => `${path.join(' ')} × ${occurrences}`)

  it('begin at each occurrence of the start', () => {
    expect(walk('A1 B2 A3 C4', { start: 'A' })).toEqual(['A B A × 1', 'A C × 1'])
  })
  it('merge repeats, and a start inside a run begins no path of its own', () => {
    expect(walk('A1 A2 B3 B4 C5 D6', { start: 'A' })).toEqual(['A B C × 1'])
  })
  it('end with the window, its last microsecond included', () => {
    expect(walk('A1 B11 C12', { start: 'A' })).toEqual(['A B × 1'])
  })
  it('begin again with a repeat that comes after the window of the first', () => {
    expect(walk('A1 A12 B13', { start: 'A' })).toEqual(['A × 1', 'A B × 1'])
  })
  it('lead to an end, in the order of time', () => {
    expect(walk('D1 C2 B3 A4 A5', { end: 'A' })).toEqual(['C B A × 1'])
  })
  it('may be of some types only', () => {
    expect(walk('A1 X2 B3', { start: 'A', types: ['A', 'B'] })).toEqual(['A B × 1'])
  })
})

describe('retention', () => {
  const start = instant('2025-10-20T00:00Z')
  const rows = (drawn: string, changes: Partial<RetentionQuestion> = {}, now = start + 9000 * HOUR) =>
    retention(
      later(draw(drawn), start, HOUR),
      {
        first: 'A',
        returning: 'A',
        from: start,
        to: start + 48 * HOUR,
        unit: 'day',
        periods: 3,
        timeZone: 'UTC',
        ...changes,
      },
      now,
    ).map(({ cohort, size, actors, open }) => `${(cohort - start) / HOUR} ${actors}/${size}${open ? ' open' : ''}`)

  it('period 0 wants another event than the first', () => {
    expect(rows('A1')).toEqual(['0 0/1', '0 0/1', '0 0/1'])
    expect(rows('A1 A2')).toEqual(['0 1/1', '0 0/1', '0 0/1'])
  })
  it('later periods reach beyond the range', () => {
    expect(rows('A1 B60', { returning: 'B' })).toEqual(['0 0/1', '0 0/1', '0 1/1'])
  })
  it('what returned before the first does not count', () => {
    expect(rows('B1 A2', { returning: 'B' })).toEqual(['0 0/1', '0 0/1', '0 0/1'])
  })
  it('is open while a period is not over', () => {
    expect(rows('A1', {}, start + 48 * HOUR)).toEqual(['0 0/1', '0 0/1', '0 0/1 open'])
  })
})

describe('active actors', () => {
  it('of the day, of 7 days and of 30 that end with it', () => {
    const start = instant('2025-10-20T00:00Z')
    const guests = draw('A0 A24 A144 A168').map((event, index) => ({ ...event, sessionId: `s${index % 3}` }))
    const rows = activeActors(later(guests, start, HOUR), {
      from: start + 144 * HOUR,
      to: start + 192 * HOUR,
      types: null,
      timeZone: 'UTC',
    })
    expect(
      rows.map(({ daily, weekly, monthly, stickiness }) => [daily, weekly, monthly, stickiness?.millionths]),
    ).toEqual([
      [1, 3, 3, 333_333],
      [1, 3, 3, 333_333],
    ])
  })
})
