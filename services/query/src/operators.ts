import type { PoolClient } from '@platform-events/postgres'
import { z } from 'zod'

/** Who asks for something to be done: the sha256 of their operator token. */
export interface Operator {
  tokenHash: Buffer
}

/** What is written into the books must be text that Postgres takes and a terminal can show. */
const text = (longest: number) =>
  z.string().trim().min(1, 'must not be empty').max(longest, `at most ${longest} characters`).regex(NO_NUL, 'has a NUL')
const NO_NUL = /^[^\0]*$/

/** The name of a person, where many share a token. */
export const by = text(100)
export const note = text(1000)

/** `true` or `false` in a query string. */
export const flag = z.enum(['true', 'false'], 'wants true or false').transform((value) => value === 'true')

/**
 * Who did it, for the books: the name of the token, which nobody can choose by themselves, behind that of the person, who can.
 */
export async function signed(client: PoolClient, { tokenHash }: Operator, person: string | undefined): Promise<string> {
  const { rows } = await client.query<{ name: string }>(SELECT_NAME, [tokenHash])
  const token = `token ${rows[0]?.name ?? 'revoked'}`
  return person === undefined ? token : `${person} (${token})`
}

const SELECT_NAME = 'select name from events_internal.operator_tokens where token_hash = $1'
