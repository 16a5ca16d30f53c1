import { LIMITS, RequestError } from '@platform-events/contracts'
import type { Pool, PoolClient } from '@platform-events/postgres'
import { z } from 'zod'
import { type DeadLetterInFull, readDeadLetter } from './dead-letters.ts'
import { by, note, type Operator, signed } from './operators.ts'
import { parse } from './parse.ts'
import { readWrite } from './read-only.ts'

export const mending = z.strictObject({
  line: z
    .string('wants the whole line, as a string of JSON')
    .max(2 * LIMITS.EVENT_BYTES)
    .regex(/^[^\n\r\0]*$/, 'is one line')
    .describe('The event as the log has it, in the place of the dead one'),
  by: by.optional(),
})
export const replaying = z.strictObject({ by: by.optional() })
export const givingUp = z.strictObject({ note: note.optional(), by: by.optional() })

/** What became of it. */
export interface DeadLetterAnswer {
  /** `refused`: the letter stays as it is, and `message` says why. `already_resolved`: somebody was faster. */
  outcome: 'mended' | 'replayed' | 'duplicate' | 'quarantined' | 'given_up' | 'refused' | 'already_resolved'
  message: string | null
  dead_letter: DeadLetterInFull
}

/**
 * Puts another line in the place of a dead letter's; what came is kept.
 *
 * @throws RequestError not_found, invalid_query, database_unavailable, query_timeout; so do the other two
 */
export async function mendDeadLetter(
  pool: Pool,
  id: number,
  body: unknown,
  operator: Operator,
): Promise<DeadLetterAnswer> {
  const asked = parse(mending, body)
  return await act(pool, id, operator, asked.by, (client, who) => client.query(MEND, [id, asked.line, who]))
}

/** Stores the event of a dead letter, once, and resolves the letter, in one transaction. */
export async function replayDeadLetter(
  pool: Pool,
  id: number,
  body: unknown,
  operator: Operator,
): Promise<DeadLetterAnswer> {
  const asked = parse(replaying, body)
  return await act(pool, id, operator, asked.by, (client, who) => client.query(REPLAY, [id, who]))
}

/** Resolves a dead letter without storing it. */
export async function giveUpDeadLetter(
  pool: Pool,
  id: number,
  body: unknown,
  operator: Operator,
): Promise<DeadLetterAnswer> {
  const asked = parse(givingUp, body)
  return await act(pool, id, operator, asked.by, (client, who) => client.query(GIVE_UP, [id, who, asked.note ?? null]))
}

type Outcome = Pick<DeadLetterAnswer, 'message'> & { outcome: DeadLetterAnswer['outcome'] | 'unknown' }

const MEND = 'select outcome, message from events_internal.mend_dead_letter($1, $2, $3)'
const REPLAY = 'select outcome, message from events_internal.replay_dead_letter($1, $2)'
const GIVE_UP = 'select outcome, message from events_internal.give_up_dead_letter($1, $2, $3)'

async function act(
  pool: Pool,
  id: number,
  operator: Operator,
  person: string | undefined,
  run: (client: PoolClient, who: string) => Promise<{ rows: Outcome[] }>,
): Promise<DeadLetterAnswer> {
  return await readWrite(pool, async (client) => {
    const { rows } = await run(client, await signed(client, operator, person))
    const { outcome, message } = rows[0]!
    if (outcome === 'unknown') throw new RequestError('not_found', `There is no dead letter ${id}.`)
    return { outcome, message, dead_letter: await readDeadLetter(client, id) }
  })
}
