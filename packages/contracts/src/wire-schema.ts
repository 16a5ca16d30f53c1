import { z } from 'zod'
import type { EventProperties, WireBatch, WireEvent } from './event.ts'
import { parseIsoTime } from './iso-time.ts'
import { LIMITS } from './limits.ts'
import { propertiesProblem } from './properties.ts'

const NIL = '00000000-0000-0000-0000-000000000000'

/** ISO 8601 with an offset; what the format cannot say (a 30th of February) is checked by `parseIsoTime`. */
const time = z
  .string()
  .refine((text) => parseIsoTime(text) !== null, 'an ISO 8601 time with an offset, such as 2026-11-24T09:30:00.123Z')
  .meta({ format: 'date-time' })

const properties = z
  .custom<EventProperties>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'an object')
  .refine((value) => propertiesProblem(value) === null, 'at most 16 levels deep, and numbers that a double can hold')
  .meta({ type: 'object' })

const fields = {
  id: z
    .guid()
    .refine((id) => id !== NIL, 'not the nil UUID')
    .nullish(),
  event_type: z.string().min(1).max(LIMITS.EVENT_TYPE_CHARACTERS),
  user_id: z.guid().nullish(),
  session_id: z.string().min(1).max(LIMITS.SESSION_ID_CHARACTERS).nullish(),
  properties: properties.nullish(),
  created_at: time.nullish(),
  stream: z.guid().nullish(),
  seq: z.int().min(0).max(2_147_483_647).nullish(),
} satisfies Record<keyof WireEvent, z.ZodType>

/**
 * An event as the collector accepts it, published for clients and tests. What runs for each event is `validateEvent`, written by
 * hand; a property test holds the two equal. Optional fields may be null, which counts as absent. Strings are checked as they are
 * after cleaning; the size of an event (32 KB) is not in the schema.
 */
export const wireEventSchema = z.strictObject(fields).transform(withoutNulls) satisfies z.ZodType<WireEvent>

const envelope = { sent_at: time.nullish(), write_key: z.string().nullish(), user_token: z.string().nullish() }

/** A batch; its events have their own verdicts each, so one that is wrong does not make the batch wrong. Unknown fields are passed over. */
export const wireBatchSchema = z
  .looseObject({ batch: z.array(wireEventSchema).max(LIMITS.EVENTS_PER_REQUEST), ...envelope })
  .transform(withoutNulls) satisfies z.ZodType<WireBatch>

type WithoutNulls<T> = { [Key in keyof T]: NonNullable<T[Key]> }

function withoutNulls<T extends object>(value: T): WithoutNulls<T> {
  const given = Object.entries(value).filter(([, field]) => field !== null && field !== undefined)
  return Object.fromEntries(given) as WithoutNulls<T>
}
