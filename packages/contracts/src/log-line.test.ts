import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventProperties, LoggedEvent } from './event.ts'
import { logLine } from './log-line.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('"properties":', '\\"properties\\":', ',"properties":{', '\n', '\u2028', '"'),
)
const event: fc.Arbitrary<LoggedEvent> = fc.record(
  {
    id: fc.uuid(),
    event_type: text,
    created_at: fc.constant('2026-11-24T09:30:00.123Z'),
    properties: fc.dictionary(text, fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<EventProperties>,
    user_id: fc.uuid(),
    session_id: text,
    raw_created_at: fc.constant('2026-11-24T08:30:00.123456Z'),
    time_of_receipt: fc.constant(true),
    stream: fc.uuid(),
    seq: fc.nat(2_147_483_647),
  },
  { requiredKeys: ['id', 'event_type', 'created_at', 'properties'] },
)

test('a line is the event as JSON, with nothing lost', () => {
  fc.assert(
    fc.property(event, (logged) => {
      expect(JSON.parse(logLine(logged))).toEqual(JSON.parse(JSON.stringify(logged)))
    }),
  )
})

test('a line ends in the only \\n there is', () => {
  fc.assert(
    fc.property(event, (logged) => {
      expect(logLine(logged).indexOf('\n')).toBe(logLine(logged).length - 1)
    }),
  )
})

test('the bytes after the first "properties": are the properties, whatever the other fields hold', () => {
  fc.assert(
    fc.property(event, (logged) => {
      const line = logLine(logged)
      const start = line.indexOf('"properties":') + '"properties":'.length
      expect(line.slice(start, -2)).toBe(JSON.stringify(logged.properties))
    }),
  )
})
