import { wireBatchSchema, wireEventSchema } from '@platform-events/contracts/wire-schema'
import { z } from 'zod'
import { countsQuery } from './counts.ts'
import { givingUp, mending, replaying } from './dead-letter-actions.ts'
import { deadLettersQuery } from './dead-letters.ts'
import { schemaOf } from './json-schema.ts'
import { ledgerQuery } from './ledger.ts'
import { acknowledgement, lossesQuery } from './losses.ts'
import { deadLetter, deadLetterAnswer, deadLetters, ledger, loss } from './openapi-operator-shapes.ts'
import { tailQuery } from './tail-route.ts'

const time = z.iso.datetime({ offset: true })
const count = z.int().min(0)

const rejected = z.object({ index: count, id: z.string().optional(), code: z.string(), message: z.string() })

const ingested = z.object({
  accepted: count.describe('Events now durably in the event log'),
  duplicates: count.optional(),
  user_ids_dropped: count.optional(),
  rejected: z.array(rejected),
  server_time: time,
})

const counts = z.object({
  counts: z.array(z.object({ event_type: z.string(), event_count: count })),
  from: time,
  to: time,
})

const tailEvent = z.object({
  id: z.uuid(),
  event_type: z.string(),
  user_id: z.uuid().nullable(),
  session_id: z.string().nullable(),
  properties: z.record(z.string(), z.unknown()),
  created_at: time,
  received_at: time,
  source_id: z.int(),
})

const health = z.object({
  ok: z.boolean(),
  parts: z.record(
    z.string(),
    z.object({ ok: z.boolean(), degraded: z.boolean().optional(), detail: z.string().optional() }),
  ),
})

/** JSON Schemas of everything that crosses the wire. */
export const SHAPES = {
  Event: schemaOf(wireEventSchema),
  Batch: schemaOf(wireBatchSchema),
  IngestAnswer: schemaOf(ingested),
  CountsQuery: schemaOf(countsQuery),
  Counts: schemaOf(counts),
  TailQuery: schemaOf(tailQuery),
  TailEvent: schemaOf(tailEvent),
  Health: schemaOf(health),
  LedgerQuery: schemaOf(ledgerQuery),
  Ledger: schemaOf(ledger),
  LossesQuery: schemaOf(lossesQuery),
  Losses: schemaOf(z.object({ losses: z.array(loss) })),
  Acknowledgement: schemaOf(acknowledgement),
  Acknowledged: schemaOf(z.object({ acknowledged: z.boolean(), loss })),
  DeadLettersQuery: schemaOf(deadLettersQuery),
  DeadLetters: schemaOf(deadLetters),
  DeadLetter: schemaOf(deadLetter),
  Mending: schemaOf(mending),
  Replaying: schemaOf(replaying),
  GivingUp: schemaOf(givingUp),
  DeadLetterAnswer: schemaOf(deadLetterAnswer),
}
