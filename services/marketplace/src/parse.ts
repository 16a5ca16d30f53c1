import { cleanStrings, RequestError } from '@platform-events/contracts'
import type { z } from 'zod'

/**
 * Checks what a caller sent. NUL characters are taken out and U+FFFD put for lone surrogates, as events' are: Postgres refuses both.
 *
 * @throws RequestError invalid_query, naming every field that is wrong and the form that it wants
 */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(cleanStrings(input, () => undefined))
  if (result.success) return result.data
  throw new RequestError('invalid_query', result.error.issues.map(describe).join('; '))
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? 'the request' : issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') return `${where} has unknown fields: ${issue.keys.join(', ').slice(0, 200)}`
  return `${where}: ${issue.message}`
}
