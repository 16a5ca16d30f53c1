import type { ConsumedRecord, TopicPartition } from '@platform-events/event-log'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ActorKeys, actorKey } from './actor-key.ts'
import { decodeRecord } from './decode.ts'
import type { DeadLine, EventRow } from './event-row.ts'

const ID = '0193a5b2-7c00-7abc-8def-0123456789ab'
const USER = '7f9c24e8-3b12-4c5d-9e6f-0123456789ab'
const topicPartition: TopicPartition = { logId: 'log', topic: 'platform.events.v1', partition: 0 }

describe('decodeRecord', () => {
  it("hands on the properties' bytes as they came", () => {
    const [row] = decode(
      `{"id":"${ID}","event_type":"SearchStarted","user_id":"${USER}","session_id":"sesión","created_at":"2026-11-24T09:30:00.123456Z","stream":"${USER}","seq":7,"properties":{"city": "Bogotá" ,"n":1e2}}\n`,
    ).rows
    expect(row).toMatchObject({
      line: 0,
      id: ID,
      eventType: 'SearchStarted',
      userId: USER,
      sessionId: 'sesión',
      createdAt: Date.parse('2026-11-24T09:30:00.123Z') * 1000 + 456,
      rawCreatedAt: null,
      dedupeById: false,
      stream: USER,
      seq: 7,
      actorKey: actorKey(USER, null),
    })
    expect(propertiesOf(row!)).toBe('{"city": "Bogotá" ,"n":1e2}')
  })

  it('is not misled by "properties": inside a string or by a longer name', () => {
    const [row] = decode(
      `{"id":"${ID}","event_type":"x\\"properties\\":{","session_id":"\\"properties\\":","created_at":"2026-11-24T09:30:00Z","properties":{"properties":{"a":1}}}\n`,
    ).rows
    expect(row!.eventType).toBe('x"properties":{')
    expect(row!.sessionId).toBe('"properties":')
    expect(propertiesOf(row!)).toBe('{"properties":{"a":1}}')
  })

  it('parses a line whole where properties come first or not at all', () => {
    const { rows, dead } = decode(
      `{"properties":{"a":[1]},"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00.5Z"}\n` +
        `{"id":"${ID.toUpperCase()}","event_type":"B","created_at":"2026-11-24T09:30:00.5Z"}`,
    )
    expect(dead).toEqual([])
    expect(rows.map((row) => [row.id, row.eventType, propertiesOf(row)])).toEqual([
      [ID, 'A', '{"a":[1]}'],
      [ID, 'B', '{}'],
    ])
  })

  it.each([
    ['garbage', 'not JSON'],
    ['[1,2]', 'not an object'],
    ['null', 'not an object'],
    ['{"id":"x","event_type":"A","created_at":"2026-11-24T09:30:00Z","properties":{}}', 'id'],
    [`{"id":"${ID}","event_type":7,"created_at":"2026-11-24T09:30:00Z","properties":{}}`, 'event_type'],
    [`{"id":"${ID}","event_type":"A","created_at":"yesterday","properties":{}}`, 'created_at'],
    [`{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","user_id":"me","properties":{}}`, 'user_id'],
    [`{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","session_id":1,"properties":{}}`, 'session'],
    [`{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","seq":-1,"properties":{}}`, 'seq'],
    [`{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","properties":[]}`, 'properties'],
    [`{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","properties":{"a":}`, 'not JSON'],
  ])('calls %s no event, and goes on with the next line', (line, why) => {
    const good = `{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","properties":{}}`
    const { rows, dead } = decode(`${line}\n${good}\n`)
    expect(rows.map((row) => row.line)).toEqual([1])
    expect(dead).toMatchObject([{ line: 0, start: 0, end: line.length, reason: 'not_an_event' }])
    expect(dead[0]!.message).toContain(why)
  })

  it('takes no record without a source: source 0 is what a trigger counts', () => {
    const line = `{"id":"${ID}","event_type":"A","created_at":"2026-11-24T09:30:00Z","properties":{}}\n`
    expect(decode(line, { source_id: 0 }).dead).toHaveLength(1)
    expect(decode(line, { source_id: Number.NaN }).dead).toHaveLength(1)
    expect(decode(line, { received_at: 'now' }).dead).toHaveLength(1)
  })

  it('never throws, and accounts for every line that is not empty', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const value = Buffer.from(bytes)
        const { rows, dead } = decode(value)
        const lines = value.toString('latin1').split('\n').filter(Boolean).length
        return rows.length + dead.length === lines
      }),
    )
  })
})

function decode(value: string | Buffer, headers: Partial<ConsumedRecord['headers']> = {}) {
  const rows: EventRow[] = []
  const dead: DeadLine[] = []
  const record: ConsumedRecord = {
    key: 'k',
    offset: 3,
    value: Buffer.from(value),
    headers: {
      schema: '1',
      source_id: 1,
      batch_id: ID,
      received_at: '2026-11-24T09:30:01.000Z',
      events: 1,
      ...headers,
    },
  }
  decodeRecord(record, topicPartition, new ActorKeys(), rows, dead)
  return { rows, dead }
}

function propertiesOf(row: EventRow): string {
  return row.propertiesIn.toString('utf8', row.propertiesStart, row.propertiesEnd)
}
