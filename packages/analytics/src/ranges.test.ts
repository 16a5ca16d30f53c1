import { describe, expect, it } from 'vitest'
import { activeActorsRange } from './active-actors.ts'
import { type RetentionQuestion, retentionRange } from './retention.ts'

const micros = (iso: string): number => Date.parse(iso) * 1000
const ages = { fromMicros: micros('0001-03-01T00:00:00Z'), toMicros: micros('9999-01-01T00:00:00Z') }

describe('what a question reads is known from the two ends of its range, however long that is', () => {
  it('active actors', () => {
    const question = { ...ages, eventTypes: null, timeZone: 'America/Bogota' }
    expect(activeActorsRange(question)).toEqual({
      fromMicros: expect.any(Number),
      toMicros: micros('9999-01-01T05:00:00Z'),
      firstDayMicros: expect.any(Number),
    })
    const short = { fromMicros: micros('2026-11-20T03:00:00Z'), toMicros: micros('2026-11-22T05:00:00Z') }
    expect(activeActorsRange({ ...question, ...short })).toEqual({
      fromMicros: micros('2026-10-21T05:00:00Z'),
      toMicros: micros('2026-11-22T05:00:00Z'),
      firstDayMicros: micros('2026-11-19T05:00:00Z'),
    })
  })

  it('retention', () => {
    const question: RetentionQuestion = {
      ...{ ...ages, first: null, returning: null, unit: 'month', periods: 2, timeZone: 'America/Bogota' },
      nowMicros: micros('9999-12-31T00:00:00Z'),
    }
    expect(retentionRange(question).toMicros).toBe(micros('9999-02-01T05:00:00Z'))
    expect(retentionRange({ ...question, nowMicros: 0 }).toMicros).toBe(ages.toMicros)
  })
})
