import { cleanStrings, RequestError } from '@platform-events/contracts'
import type { z } from 'zod'

/**
 * Checks what a caller sent. NUL characters are taken out and U+FFFD put for lone surrogates, as events' are: Postgres refuses both.
 *
 * @param asSent fields that are not cleaned, but for the schema to refuse
 * @throws RequestError invalid_query, naming every field that is wrong and the form that it wants
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  asSent: readonly string[] = [],
): z.output<Schema> {
  const clean = cleanStrings(input, () => undefined)
  const result = schema.safeParse(asSent.length === 0 ? clean : withAsSent(clean, input, asSent))
  if (result.success) return result.data
  throw new RequestError('invalid_query', result.error.issues.map(describe).join('; '))
}

function withAsSent(clean: unknown, input: unknown, names: readonly string[]): unknown {
  if (typeof clean !== 'object' || clean === null || Array.isArray(clean)) return clean
  const sent = names.filter((name) => Object.hasOwn(input as object, name))
  return { ...clean, ...Object.fromEntries(sent.map((name) => [name, (input as Record<string, unknown>)[name]])) }
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? 'the request' : issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') return `${where} has unknown fields: ${issue.keys.join(', ').slice(0, 200)}`
  return `${where}: ${issue.message}`
}
