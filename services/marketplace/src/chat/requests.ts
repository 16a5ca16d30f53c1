import { RequestError } from '@platform-events/contracts'
import type { PoolClient } from '@platform-events/postgres'

/** Which request this is: a caller's key means nothing to other callers. */
export interface RequestKey {
  userId: string
  idempotencyKey: string
}

/** What a request with this key has come to so far. */
export type Claim =
  | { state: 'new'; attempt: number }
  /** Asked before, without an answer: its messages are stored. Null where the conversation has been deleted since. */
  | { state: 'again'; attempt: number; conversationId: string | null; questionAt: string | null }
  | { state: 'answered'; conversationId: string | null; answerId: string | null }

/**
 * Makes this attempt the one that answers the request. Of two at once the second waits for the first one's COMMIT, and is then refused.
 *
 * @param staleMs a pending attempt that is older is dead, its process with it: it is taken over
 * @throws RequestError idempotency_conflict, request_in_progress; 23503 for a user whom the platform has not
 */
export async function claimRequest(
  client: PoolClient,
  key: RequestKey,
  { bodyHash, staleMs }: { bodyHash: Buffer; staleMs: number },
): Promise<Claim> {
  const added = await client.query(
    `insert into marketplace_internal.chat_requests (user_id, idempotency_key, body_hash) values ($1, $2, $3)
     on conflict do nothing`,
    [key.userId, key.idempotencyKey, bodyHash],
  )
  if (added.rowCount === 1) return { state: 'new', attempt: 1 }
  const known = await lockRequest(client, key, staleMs)
  // Absent where it was removed in this very moment, with its user.
  if (known !== undefined && !known.body_hash.equals(bodyHash))
    throw new RequestError('idempotency_conflict', 'This Idempotency-Key came with another body before.')
  if (known?.state === 'answered')
    return { state: 'answered', conversationId: known.conversation_id, answerId: known.answer_id }
  if (known === undefined || (known.state === 'pending' && !known.stale)) {
    throw new RequestError('request_in_progress', 'A request with this Idempotency-Key is being answered.', {
      retryAfterSeconds: whenToAskAgain(known?.age_seconds ?? 0, staleMs / 1000),
    })
  }
  await client.query(
    `update marketplace_internal.chat_requests
     set state = 'pending', attempt = attempt + 1, failures = failures + (state = 'pending')::int, started_at = clock_timestamp(), error_code = null, finished_at = null
     where user_id = $1 and idempotency_key = $2`,
    [key.userId, key.idempotencyKey],
  )
  const { conversation_id: conversationId, question_at: questionAt } = known
  return { state: 'again', attempt: known.attempt + 1, conversationId, questionAt }
}

interface RequestRow {
  body_hash: Buffer
  state: 'pending' | 'answered' | 'failed'
  attempt: number
  conversation_id: string | null
  answer_id: string | null
  question_at: string | null
  stale: boolean
  age_seconds: number
}

/** Soon where it has just begun; the longer it takes the later, but no later than when it may be taken over. */
function whenToAskAgain(ageSeconds: number, staleSeconds: number): number {
  return Math.max(2, Math.min(ageSeconds, staleSeconds - ageSeconds + 1))
}

async function lockRequest(client: PoolClient, key: RequestKey, staleMs: number): Promise<RequestRow | undefined> {
  const { rows } = await client.query<RequestRow>(
    `select body_hash, state, attempt, conversation_id, answer_id, to_json(question_at) as question_at,
       started_at < clock_timestamp() - make_interval(secs => $3) as stale,
       extract(epoch from clock_timestamp() - started_at)::float8 as age_seconds
     from marketplace_internal.chat_requests where user_id = $1 and idempotency_key = $2 for update`,
    [key.userId, key.idempotencyKey, staleMs / 1000],
  )
  return rows[0]
}

/**
 * Sees to it that no question gets two answers where it came twice at once, with another key or without one. Whoever asks holds the conversation.
 *
 * @param staleMs as for `claimRequest`
 * @throws RequestError request_in_progress
 */
export async function refuseAskedTwice(
  client: PoolClient,
  key: RequestKey,
  question: { conversationId: string; questionAt: string },
  staleMs: number,
): Promise<void> {
  const { rowCount } = await client.query(
    `select from marketplace_internal.chat_requests
     where user_id = $1 and idempotency_key <> $2 and conversation_id = $3 and question_at = $4
       and state = 'pending' and started_at >= clock_timestamp() - make_interval(secs => $5)`,
    [key.userId, key.idempotencyKey, question.conversationId, question.questionAt, staleMs / 1000],
  )
  if (rowCount !== 0)
    throw new RequestError('request_in_progress', 'This question is being answered.', { retryAfterSeconds: 2 })
}

/** Remembers what the request asked, for its next attempt. */
export async function rememberQuestion(
  client: PoolClient,
  key: RequestKey,
  question: { conversationId: string; questionAt: string },
): Promise<void> {
  await client.query(
    `update marketplace_internal.chat_requests set conversation_id = $3, question_at = $4
     where user_id = $1 and idempotency_key = $2`,
    [key.userId, key.idempotencyKey, question.conversationId, question.questionAt],
  )
}

/**
 * Holds the request for this attempt until the transaction ends.
 *
 * @throws RequestError request_in_progress where another attempt has taken it over
 */
export async function holdRequest(client: PoolClient, key: RequestKey, attempt: number): Promise<void> {
  const { rowCount } = await client.query(
    `select from marketplace_internal.chat_requests
     where user_id = $1 and idempotency_key = $2 and attempt = $3 and state = 'pending' for update`,
    [key.userId, key.idempotencyKey, attempt],
  )
  if (rowCount === 0)
    throw new RequestError('request_in_progress', 'This took so long that another attempt has taken it over.')
}

/**
 * Holds all requests of one of the user's conversations. Whoever locks a conversation and changes its requests does this before: requests come
 * first, or two would wait for each other.
 */
export async function holdRequestsOf(client: PoolClient, userId: string, conversationId: string): Promise<void> {
  await client.query(
    `select from marketplace_internal.chat_requests where user_id = $1 and conversation_id = $2
     order by idempotency_key for update`,
    [userId, conversationId],
  )
}

export async function requestAnswered(client: PoolClient, key: RequestKey, answerId: string): Promise<void> {
  await client.query(
    `update marketplace_internal.chat_requests set state = 'answered', answer_id = $3, finished_at = clock_timestamp()
     where user_id = $1 and idempotency_key = $2`,
    [key.userId, key.idempotencyKey, answerId],
  )
}

/** Ends this attempt, if it still stands. */
export async function requestFailed(
  client: Pick<PoolClient, 'query'>,
  key: RequestKey,
  attempt: number,
  errorCode: string,
): Promise<void> {
  await client.query(
    `update marketplace_internal.chat_requests set state = 'failed', error_code = $4, failures = failures + ($4 <> 'cancelled')::int, finished_at = clock_timestamp()
     where user_id = $1 and idempotency_key = $2 and attempt = $3 and state = 'pending'`,
    [key.userId, key.idempotencyKey, attempt, errorCode],
  )
}
