import { z } from 'zod'
import type { DeadLetterAnswer } from './dead-letter-actions.ts'
import type { DeadLetter, DeadLetterInFull } from './dead-letters.ts'
import type { LedgerAccounts, LedgerAnswer } from './ledger.ts'
import type { LossEvent } from './losses.ts'

const time = z.iso.datetime({ offset: true })
const count = z.int().min(0)
const text = z.string().nullable()

export const loss = z.object({
  loss_id: count,
  log_id: z.string(),
  topic: z.string(),
  topic_partition: count,
  reason: z.enum(['overtaken', 'past_end', 'log_replaced']),
  stored_offset: count,
  resumed_offset: count.nullable(),
  new_log_id: text,
  records_lost: count.nullable().describe('Records, not events; null: unknown'),
  detected_at: time,
  acknowledged_at: time.nullable(),
  acknowledged_by: text,
  note: text,
}) satisfies z.ZodType<LossEvent>

const letter = z.object({
  dead_letter_id: count,
  source_id: count.nullable(),
  log_id: z.string(),
  topic: z.string(),
  topic_partition: count,
  record_offset: count,
  line: count.describe('Within the record, from 0'),
  event_id: z.uuid().nullable(),
  sqlstate: text,
  reason: z.string(),
  message: text,
  received_at: time.nullable(),
  dead_at: time,
  mended_at: time.nullable(),
  mended_by: text,
  resolved_at: time.nullable(),
  resolution: text,
  resolved_by: text,
  note: text,
}) satisfies z.ZodType<DeadLetter>

const accounts = z.object({
  received: count.describe('accepted + rejected'),
  rejected: count,
  accepted: count.describe('stored + duplicate + dead_lettered + quarantined + in_flight'),
  stored: count,
  duplicate: count,
  dead_lettered: count,
  quarantined: count,
  in_flight: z.int().describe('In a spool or in the log, not yet loaded; below 0: the books do not balance'),
  missing: count.describe('Numbers that trackers gave and nobody has seen'),
  resent: count.describe('From records that are in the log twice; outside the sums'),
  deleted: z.int().describe('Stored, and deleted by somebody since; outside the sums'),
}) satisfies z.ZodType<LedgerAccounts>

export const ledger = z.object({
  ledger: z.array(
    accounts.extend({
      day: z.iso.date(),
      source_id: z.int().describe('0: inserted by SQL'),
      source: text,
      rejected_by_code: z.record(z.string(), count),
    }),
  ),
  totals: accounts,
  identities_hold: z.boolean().describe('Whether the identities hold in every row'),
  spools: z.array(z.object({ spool_id: z.string(), host: z.string(), events: count, bytes: count, reported_at: time })),
  missing_as_of: time.nullable(),
  from: z.iso.date(),
  to: z.iso.date(),
  as_of: time,
}) satisfies z.ZodType<LedgerAnswer>

export const deadLetters = z.object({ dead_letters: z.array(letter), next: count.nullable() })

export const deadLetter = letter.extend({
  raw: z.string().describe('The line as it came; what is no UTF-8 shows as U+FFFD'),
  raw_base64: text.describe('The bytes, where raw does not show them all'),
  mended: text.describe('The line that was put in its place'),
}) satisfies z.ZodType<DeadLetterInFull>

export const deadLetterAnswer = z.object({
  outcome: z.enum(['mended', 'replayed', 'duplicate', 'quarantined', 'given_up', 'refused', 'already_resolved']),
  message: text.describe('Why it was refused'),
  dead_letter: deadLetter,
}) satisfies z.ZodType<DeadLetterAnswer>
