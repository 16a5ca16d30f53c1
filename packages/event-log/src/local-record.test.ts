import { expect, it } from 'vitest'
import { makeRecord } from '../../../test/support/event-log-subject.ts'
import { appendedAtOf, decodeRecord, encodeRecord, eventsOf } from './local-record.ts'

it('gives back what was stored', () => {
  const record = { ...makeRecord('clé 💡'), headers: { ...makeRecord('').headers, events: 70_000, source_id: 2 ** 30 } }
  const stored = encodeRecord(record, 1_772_366_400_123)
  expect(decodeRecord(9, stored)).toEqual({ ...record, offset: 9 })
  expect(eventsOf(stored)).toBe(70_000)
  expect(appendedAtOf(stored)).toBe(1_772_366_400_123)
})

it('refuses a form of another version', () => {
  expect(() => decodeRecord(9, Buffer.from([3, 0, 0]))).toThrow('record 9 has form 3')
})
