import type { EventMatch, PropertyFilter } from '@platform-events/analytics'
import { LIMITS } from '@platform-events/contracts'
import { z } from 'zod'
import { columnOf } from '../slices/column.ts'

const NAME_FORM = `an event type has 1 to ${LIMITS.EVENT_TYPE_CHARACTERS} characters`
const MAX_TYPES = 100
const MAX_FILTERS = 20
const MAX_VALUE_CHARACTERS = 1000
const INEXACT =
  'a whole number beyond 9007199254740991 loses digits in JSON: send it as a text if the property is one, or ask in SQL'

/** Text without NUL, which Postgres cannot hold. */
const text = (longest: number, form: string) =>
  z
    .string(form)
    .min(1, form)
    .max(longest, form)
    .refine((value) => !value.includes('\0'), form)

export const eventType = text(LIMITS.EVENT_TYPE_CHARACTERS, NAME_FORM)
export const eventTypes = z.array(eventType).min(1, 'wants at least one event type').max(MAX_TYPES)
export const property = text(200, 'a property is the name of a top-level key of properties, of 1 to 200 characters')

const string = z
  .string()
  .max(MAX_VALUE_CHARACTERS)
  .refine((value) => !value.includes('\0'), 'has a NUL')
const scalar = z
  .union([string, z.number(), z.boolean()], { error: 'wants a string, a number or a boolean' })
  .refine(isExact, INEXACT)
const ordered = z.union([string, z.number()], { error: 'wants a number, or a string' }).refine(isExact, INEXACT)

/** One condition on a property; what each op means: docs/analytics.md. */
const filter = z.discriminatedUnion(
  'op',
  [
    z.strictObject({ property, op: z.enum(['=', '!=', 'contains']), value: scalar }),
    z.strictObject({
      property,
      op: z.literal('in'),
      value: z.array(scalar).min(1, 'wants at least one value').max(100, 'takes at most 100 values'),
    }),
    z.strictObject({ property, op: z.enum(['<', '<=', '>', '>=']), value: ordered }),
    z.strictObject({ property, op: z.literal('exists'), value: z.boolean().default(true) }),
  ],
  { error: 'an op is one of =, !=, in, <, <=, >, >=, exists, contains' },
)

export const filters = z.array(filter).max(MAX_FILTERS, `takes at most ${MAX_FILTERS} filters`)

const oneType = { event_type: eventType.optional(), event_types: eventTypes.optional(), where: filters.default([]) }

/** The fields by which an event matches: `event_type` or `event_types`, and `where`. */
export const matchFields = oneType

export function namesOneKindOfType(given: { event_type?: unknown; event_types?: unknown }): boolean {
  return (given.event_type === undefined) !== (given.event_types === undefined)
}

export const TYPE_FORM = 'wants either event_type or event_types'

export function matchOf(given: {
  event_type?: string | undefined
  event_types?: string[] | undefined
  where: z.output<typeof filters>
}): EventMatch {
  return { eventTypes: given.event_types ?? [given.event_type!], where: filtersOn(given.where) }
}

/** As walks take them. */
export function filtersOn(where: z.output<typeof filters>): PropertyFilter[] {
  return where.map((each) => ({ ...each, property: columnOf(each.property) }))
}

/** A larger whole number was rounded before anybody saw it. */
function isExact(value: string | number | boolean): boolean {
  return !Number.isInteger(value) || Number.isSafeInteger(value)
}
