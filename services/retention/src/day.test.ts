import { expect, it } from 'vitest'
import { addDays, dayAt, dayOfLeaf, endOf, leafOf } from './day.ts'
import { leadDays } from './lead-days.ts'

it('counts UTC days, over months and leap days', () => {
  expect(dayAt(Date.parse('2026-11-24T23:59:59.999Z'))).toBe('2026-11-24')
  expect(addDays('2028-02-28', 1)).toBe('2028-02-29')
  expect(addDays('2026-01-01', -1)).toBe('2025-12-31')
  expect(endOf('2026-12-31')).toBe(Date.parse('2027-01-01T00:00:00Z'))
})

it('reads a day from the name of its partition, and from no other name', () => {
  expect(leafOf('2026-11-24')).toBe('platform_events_20261124')
  expect(dayOfLeaf('platform_events_20261124')).toBe('2026-11-24')
  for (const name of [
    'platform_events_20260230',
    'platform_events_20261',
    'platform_events_2026112',
    'platform_events_backup',
  ])
    expect(dayOfLeaf(name)).toBeNull()
})

it('counts the days ahead up to the first gap', () => {
  const attached = ['2026-11-24', '2026-11-25', '2026-11-26', '2026-11-28'].map((day) => ({
    day,
    state: 'attached' as const,
  }))
  const now = Date.parse('2026-11-24T12:00:00Z')
  expect(leadDays(attached, now)).toBe(2)
  expect(leadDays([...attached, { day: '2026-11-27', state: 'pending' }], now)).toBe(2)
  expect(leadDays([], now)).toBe(0)
})
