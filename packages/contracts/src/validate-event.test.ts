import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventErrorCode } from './error-codes.ts'
import { validateEvent } from './validate-event.ts'
import { wireEventSchema } from './wire-schema.ts'

const NOW = Date.parse('2026-11-24T12:00:00.000Z')
const MADE = '019ab000-0000-7000-8000-000000000000'
const ID = '019ab5e2-7c00-7abc-8def-0123456789ab'
const context = { receivedAtMs: NOW, sentAtMs: null, newId: () => MADE }
const judge = (value: unknown) => validateEvent(value, context)
const codeOf = (value: unknown): EventErrorCode | null => {
  const verdict = judge(value)
  return verdict.ok ? null : verdict.code
}
const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)

describe('validateEvent', () => {
  test('completes the smallest event', () => {
    expect(judge({ event_type: 'A' })).toEqual({
      ok: true,
      event: {
        id: MADE,
        event_type: 'A',
        created_at: '2026-11-24T12:00:00.000Z',
        time_of_receipt: true,
        properties: {},
      },
    })
  })

  test('keeps a whole event, ids in lower case, the time in UTC', () => {
    const verdict = judge({
      id: ID.toUpperCase(),
      event_type: 'SearchStarted',
      user_id: '6F9619FF-8B86-4011-B42D-00CF4FC964FF',
      session_id: 'Session-A',
      properties: { city: 'Bogotá' },
      created_at: '2026-11-24T06:30:00.123456-05:00',
      stream: 'AAAAAAAA-8B86-4011-B42D-00CF4FC964FF',
      seq: 7,
    })
    expect(verdict).toEqual({
      ok: true,
      event: {
        id: ID,
        event_type: 'SearchStarted',
        user_id: '6f9619ff-8b86-4011-b42d-00cf4fc964ff',
        session_id: 'Session-A',
        properties: { city: 'Bogotá' },
        created_at: '2026-11-24T11:30:00.123456Z',
        stream: 'aaaaaaaa-8b86-4011-b42d-00cf4fc964ff',
        seq: 7,
      },
    })
  })

  test('takes null for absent in every optional field', () => {
    const fields = ['id', 'user_id', 'session_id', 'properties', 'created_at', 'stream', 'seq']
    const nulls = Object.fromEntries(fields.map((field) => [field, null]))
    expect(judge({ event_type: 'A', ...nulls })).toEqual(judge({ event_type: 'A' }))
  })

  test('takes the time from a UUIDv7 where none is given', () => {
    const verdict = judge({ event_type: 'A', id: ID })
    expect(verdict).toMatchObject({ ok: true, event: { created_at: '2025-11-24T12:41:50.336Z' } })
    expect(verdict).not.toHaveProperty('event.time_of_receipt')
  })

  test('a UUIDv7 from the future is corrected like any other time', () => {
    const verdict = judge({ event_type: 'A', id: '01b00000-0000-7abc-8def-0123456789ab' })
    expect(verdict).toMatchObject({ ok: true, event: { raw_created_at: expect.stringMatching(/^202[89]/) } })
  })

  test('a UUIDv7 beyond the year 9999 tells no time', () => {
    expect(judge({ event_type: 'A', id: 'ffffffff-ffff-7abc-8def-0123456789ab' })).toMatchObject({
      ok: true,
      event: { time_of_receipt: true },
    })
  })

  test('any other UUID tells no time either', () => {
    expect(judge({ event_type: 'A', id: '6f9619ff-8b86-4011-b42d-00cf4fc964ff' })).toMatchObject({
      ok: true,
      event: { id: '6f9619ff-8b86-4011-b42d-00cf4fc964ff', time_of_receipt: true },
    })
  })

  test.each<[string, unknown, EventErrorCode]>([
    ['null', null, 'invalid_event'],
    ['an array', [], 'invalid_event'],
    ['a string', 'SearchStarted', 'invalid_event'],
    ['an unknown field', { event_type: 'A', city: 'Bogotá' }, 'unknown_field'],
    ['__proto__ as a field', JSON.parse('{"event_type":"A","__proto__":{}}'), 'unknown_field'],
    ['no event_type', {}, 'invalid_event_type'],
    ['event_type null', { event_type: null }, 'invalid_event_type'],
    ['event_type empty', { event_type: '' }, 'invalid_event_type'],
    ['event_type 129 long', { event_type: 'x'.repeat(129) }, 'invalid_event_type'],
    ['event_type a number', { event_type: 7 }, 'invalid_event_type'],
    ['id no UUID', { event_type: 'A', id: '17' }, 'invalid_id'],
    ['id nil', { event_type: 'A', id: '00000000-0000-0000-0000-000000000000' }, 'invalid_id'],
    ['user_id no UUID', { event_type: 'A', user_id: 'bob' }, 'invalid_user_id'],
    ['session_id of 3 KB', { event_type: 'A', session_id: 's'.repeat(3000) }, 'invalid_session_id'],
    ['session_id empty', { event_type: 'A', session_id: '' }, 'invalid_session_id'],
    ['properties a string', { event_type: 'A', properties: 'x' }, 'invalid_properties'],
    ['properties an array', { event_type: 'A', properties: [] }, 'invalid_properties'],
    ['created_at "yesterday"', { event_type: 'A', created_at: 'yesterday' }, 'invalid_created_at'],
    ['created_at a number', { event_type: 'A', created_at: 1764000000000 }, 'invalid_created_at'],
    ['stream no UUID', { event_type: 'A', stream: 1 }, 'invalid_stream'],
    ['seq negative', { event_type: 'A', seq: -1 }, 'invalid_seq'],
    ['seq a fraction', { event_type: 'A', seq: 1.5 }, 'invalid_seq'],
    ['seq 2^31', { event_type: 'A', seq: 2_147_483_648 }, 'invalid_seq'],
    ['1e400 deep inside', { event_type: 'A', properties: JSON.parse('{"a":[{"b":-1e400}]}') }, 'invalid_number'],
    ['17 levels', { event_type: 'A', properties: nested(17) }, 'too_deep'],
    ['10,000 levels', { event_type: 'A', properties: nested(10_000) }, 'too_deep'],
  ])('rejects %s', (_, value, code) => expect(codeOf(value)).toBe(code))

  test('takes what lies exactly at the limits', () => {
    expect(codeOf({ event_type: 'x'.repeat(128), session_id: 's'.repeat(128) })).toBeNull()
    expect(codeOf({ event_type: 'A', seq: 2_147_483_647 })).toBeNull()
    expect(codeOf({ event_type: 'A', properties: nested(16) })).toBeNull()
    expect(codeOf({ event_type: 'A', properties: { big: Number.MAX_VALUE } })).toBeNull()
  })

  test('names the unknown field, shortened', () => {
    expect(judge({ event_type: 'A', city: 1 })).toHaveProperty('message', 'There is no field "city".')
    expect(judge({ event_type: 'A', ['x'.repeat(5000)]: 1 })).toHaveProperty('message.length', 86)
  })

  test('a __proto__ property is data', () => {
    const verdict = judge({ event_type: 'A', properties: JSON.parse('{"__proto__":{"polluted":1}}') })
    expect(verdict.ok && JSON.stringify(verdict.event.properties)).toBe('{"__proto__":{"polluted":1}}')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('validateEvent and wireEventSchema', () => {
  const valid: Record<string, fc.Arbitrary<unknown>> = {
    id: fc.uuid(),
    event_type: fc.string({ minLength: 1, maxLength: 128 }),
    user_id: fc.uuid().map((id) => id.toUpperCase()),
    session_id: fc.string({ minLength: 1, maxLength: 128 }),
    properties: fc.dictionary(fc.string(), fc.jsonValue()),
    created_at: fc
      .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((date) => date.toISOString()),
    stream: fc.uuid(),
    seq: fc.nat(2_147_483_647),
  }
  const junk = fc.oneof(
    fc.constantFrom(undefined, null, '', 'x'.repeat(128), 'x'.repeat(129), 0, -1, 1.5, 2 ** 31, Infinity, [], {}, true),
    fc.constantFrom('yesterday', '2026-02-30T00:00:00Z', '2026-11-24T09:30:00', '2026-11-24T09:30:00.1234567+01:00'),
    fc.constantFrom(
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      `${ID} `,
      `{${ID}}`,
    ),
    fc.constantFrom<unknown>({ a: [1, { b: Infinity }] }, nested(16), nested(17), nested(10_000)),
    fc.anything({ withNullPrototype: false }),
  )
  const field = (name: string) => fc.oneof({ weight: 8, arbitrary: valid[name]! }, { weight: 1, arbitrary: junk })
  const fields = Object.fromEntries(Object.keys(valid).map((name) => [name, field(name)]))
  const event = fc
    .tuple(
      fc.record(fields, { requiredKeys: ['event_type'] }),
      fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.tuple(fc.string(), junk) }),
    )
    .map(([known, extra]) => (extra === null ? known : { ...known, [extra[0]]: extra[1] }))

  test('accept and reject the same, and what they accept is the same', () => {
    const seen = { accepted: 0, rejected: 0 }
    fc.assert(
      fc.property(fc.oneof({ weight: 20, arbitrary: event }, { weight: 1, arbitrary: junk }), (value) => {
        const verdict = judge(value)
        const parsed = wireEventSchema.safeParse(value)
        expect(parsed.success).toBe(verdict.ok)
        seen[verdict.ok ? 'accepted' : 'rejected']++
        if (!verdict.ok || !parsed.success) return
        expect(verdict.event.event_type).toBe(parsed.data.event_type)
        expect(verdict.event.session_id).toBe(parsed.data.session_id)
        expect(verdict.event.user_id).toBe(parsed.data.user_id?.toLowerCase())
        expect(verdict.event.seq).toBe(parsed.data.seq)
        expect(verdict.event.properties).toEqual(parsed.data.properties ?? {})
      }),
      { numRuns: 5000 },
    )
    expect(seen.accepted).toBeGreaterThan(500)
    expect(seen.rejected).toBeGreaterThan(500)
  })
})
