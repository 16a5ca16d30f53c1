import { expect, it } from 'vitest'
import { timeBuckets } from './time-buckets.ts'

const micros = (iso: string): number => Date.parse(iso) * 1000
const isos = (times: number[]): string[] => times.map((time) => new Date(time / 1000).toISOString().slice(5, 16))

it('an hour that clocks show twice is two buckets, and one that they skip is none', () => {
  const back = timeBuckets('hour', 'Europe/Berlin', micros('2026-10-25T00:30Z'), micros('2026-10-25T02:30Z'))
  expect(isos(back.starts)).toEqual(['10-25T00:00', '10-25T01:00', '10-25T02:00'])
  expect(back.at(micros('2026-10-25T00:59:59.999Z'))).toBe(0)
  expect(back.at(micros('2026-10-25T01:00Z'))).toBe(1)
  const half = timeBuckets('hour', 'Australia/Lord_Howe', micros('2026-04-04T14:00Z'), micros('2026-04-04T16:00Z'))
  expect(isos(half.starts)).toEqual(['04-04T14:00', '04-04T15:00', '04-04T15:30'])
})

it('a day in which clocks change has 23 or 25 hours', () => {
  const { starts, ends } = timeBuckets(
    'day',
    'America/New_York',
    micros('2026-03-08T12:00Z'),
    micros('2026-03-09T12:00Z'),
  )
  expect(isos(starts)).toEqual(['03-08T05:00', '03-09T04:00'])
  expect(isos(ends)).toEqual(['03-09T04:00', '03-10T04:00'])
})

it('a day whose midnight is skipped begins where the clocks go on', () => {
  const { starts } = timeBuckets('day', 'Asia/Beirut', micros('2026-03-28T12:00Z'), micros('2026-03-29T12:00Z'))
  expect(isos(starts)).toEqual(['03-27T22:00', '03-28T22:00'])
})

it('weeks begin on Monday, months on the first; a range touches the bucket that it begins in', () => {
  const [from, to] = [micros('2026-06-03T00:00Z'), micros('2026-07-01T00:00Z')]
  expect(isos(timeBuckets('week', 'UTC', from, to).starts)).toEqual(
    [1, 8, 15, 22, 29].map((day) => `06-${`0${day}`.slice(-2)}T00:00`),
  )
  expect(isos(timeBuckets('month', 'America/Bogota', from, to).starts)).toEqual(['06-01T05:00'])
})

it('an empty range has no buckets, and an unknown zone is refused', () => {
  expect(timeBuckets('day', 'UTC', 5, 5).starts).toEqual([])
  expect(() => timeBuckets('day', 'Mars/Olympus', 0, 1)).toThrow(RangeError)
})
