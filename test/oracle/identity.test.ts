import { describe, expect, it } from 'vitest'
import type { OracleEvent } from './events.ts'
import { type OracleUnit, unitsOf } from './identity.ts'

const [ANA, BEA] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'] as const

/** [who, session, time] as an event of type A. */
function events(...rows: [string | null, string | null, number, Record<string, string>?][]): OracleEvent[] {
  return rows.map(([userId, sessionId, at, properties = {}], index) => ({
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    eventType: 'A',
    userId,
    sessionId,
    properties,
    at,
    sourceId: 0,
  }))
}

const owners = (rows: OracleEvent[], unit: OracleUnit = 'actor') =>
  Object.fromEntries([...unitsOf(rows, unit)].map(([name, own]) => [name, own.map(({ at }) => at)]))

describe('identity', () => {
  it('a guest who logs in half-way is one person, and so are later sessions and other devices', () => {
    expect(owners(events([null, 's1', 1], [ANA, 's1', 2], [ANA, 's2', 3], [null, 's2', 4], [ANA, null, 5]))).toEqual({
      [`user:${ANA}`]: [1, 2, 3, 4, 5],
    })
  })
  it('a guest who never logs in is the session', () => {
    expect(owners(events([null, 's1', 1], [null, 's2', 2]))).toEqual({ 'session:s1': [1], 'session:s2': [2] })
  })
  it('on a shared device the session’s guest events are of who logged in first, and an event’s own user always wins', () => {
    expect(owners(events([null, 's', 1], [BEA, 's', 4], [ANA, 's', 2], [null, 's', 5]))).toEqual({
      [`user:${ANA}`]: [1, 2, 5],
      [`user:${BEA}`]: [4],
    })
  })
  it('two users in one microsecond: the lesser id decides', () => {
    expect(owners(events([BEA, 's', 1], [ANA, 's', 1], [null, 's', 0]))).toEqual({
      [`user:${BEA}`]: [0, 1],
      [`user:${ANA}`]: [1],
    })
  })
  it('an event without user and session is nobody’s', () => {
    expect(owners(events([null, null, 1]))).toEqual({})
  })
  it('a unit may be the session itself, or a property that is there and not null', () => {
    expect(owners(events([ANA, 's', 1], [BEA, 's', 2], [ANA, null, 3]), 'session')).toEqual({ 'session:s': [1, 2] })
    const orders = events(
      [ANA, null, 1, { o: '5' }],
      [BEA, null, 2, { o: '"5"' }],
      [null, null, 3, { o: 'null' }],
      [ANA, 's', 4],
    )
    expect(owners(orders, { property: 'o' })).toEqual({ 'property:5': [1, 2] })
  })
})
