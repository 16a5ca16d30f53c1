import { expect, test } from 'vitest'
import { schedule } from './schedule.ts'

test('one seed is one schedule, another seed another one', () => {
  expect(schedule(7, 'kafka', 60_000)).toEqual(schedule(7, 'kafka', 60_000))
  expect(schedule(7, 'kafka', 60_000)).not.toEqual(schedule(8, 'kafka', 60_000))
})

test('a longer run of a seed begins like the shorter one', () => {
  const short = schedule(7, 'local', 30_000)
  expect(schedule(7, 'local', 120_000).slice(0, short.length)).toEqual(short)
})

test('an hour has a fault every 3 s on average and every kind that its transport has', () => {
  const kafka = schedule(1, 'kafka', 3_600_000)
  expect(kafka.length).toBeGreaterThan(1080)
  expect(kafka.length).toBeLessThan(1320)
  expect(new Set(kafka.map(({ kind }) => kind)).size).toBe(19)
  const local = new Set(schedule(1, 'local', 3_600_000).map(({ kind }) => kind))
  expect([...local].filter((kind) => kind.startsWith('broker') || kind.startsWith('database'))).toEqual([])
})
