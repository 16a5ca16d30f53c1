import { expect, test } from 'vitest'
import { type Ground, schedule } from './schedule.ts'

const KAFKA: Ground = { transport: 'kafka', brokers: 1, databaseApart: true }
const LOCAL: Ground = { transport: 'local', brokers: 0, databaseApart: false }
const HOUR_MS = 3_600_000

function kinds(ground: Ground): Set<string> {
  return new Set(schedule(1, ground, HOUR_MS).map(({ kind }) => kind))
}

test('one seed is one schedule, another seed another one', () => {
  expect(schedule(7, KAFKA, 60_000)).toEqual(schedule(7, KAFKA, 60_000))
  expect(schedule(7, KAFKA, 60_000)).not.toEqual(schedule(8, KAFKA, 60_000))
})

test('a longer run of a seed begins like the shorter one', () => {
  const short = schedule(7, LOCAL, 30_000)
  expect(schedule(7, LOCAL, 120_000).slice(0, short.length)).toEqual(short)
})

test('a fault every 3 s on average', () => {
  const { length } = schedule(1, KAFKA, HOUR_MS)
  expect(length).toBeGreaterThan(1080)
  expect(length).toBeLessThan(1320)
})

test('an hour has every kind that there is something for, and no other', () => {
  expect(kinds({ ...KAFKA, brokers: 3 }).size).toBe(39)
  expect([...kinds({ ...KAFKA, brokers: 3 })].filter((kind) => !kinds(KAFKA).has(kind))).toEqual(['below_min_insync'])
  expect([...kinds(LOCAL)].filter((kind) => /^(broker|database|append|fetch)_/.test(kind))).toEqual([])
  expect([...kinds({ ...LOCAL, databaseApart: true })].filter((kind) => kind.startsWith('database_')).length).toBe(4)
})
