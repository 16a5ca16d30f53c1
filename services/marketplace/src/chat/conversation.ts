import { RequestError } from '@platform-events/contracts'
import type { PoolClient } from '@platform-events/postgres'
import type { AssistantAnswer, Locale } from '../assistant/assistant.ts'
import { CHAT_LIMITS } from './limits.ts'
import type { Message, SentMessage } from './shapes.ts'

export interface OpenConversation {
  id: string
  locale: Locale
  /** The number of messages stored. */
  size: number
}

/** Begins a conversation of the user that the transaction is. @throws 23503 for one whom the platform has not */
export async function beginConversation(client: PoolClient, userId: string, locale: Locale): Promise<OpenConversation> {
  const { rows } = await client.query<{ id: string }>(
    'insert into public.amara_conversations (user_id, locale) values ($1, $2) returning id',
    [userId, locale],
  )
  return { id: rows[0]!.id, locale, size: 0 }
}

/**
 * Holds a conversation of the user that the transaction is until it ends, so that messages are added one request after the other.
 *
 * @throws RequestError not_found, the same for another's and for none
 */
export async function holdConversation(
  client: PoolClient,
  id: string,
): Promise<OpenConversation & { isActive: boolean }> {
  const { rows } = await client.query<{ locale: Locale; is_active: boolean }>(
    'select locale, is_active from public.amara_conversations where id = $1 for update',
    [id],
  )
  const found = rows[0]
  if (!found) throw conversationNotFound()
  // Counted by a statement of its own: that one sees what was committed while this one waited.
  const counted = await client.query<{ size: number }>(
    'select count(*)::int as size from public.amara_messages where conversation_id = $1',
    [id],
  )
  return { id, locale: found.locale, isActive: found.is_active, size: counted.rows[0]!.size }
}

export function conversationNotFound(): RequestError {
  return new RequestError('not_found', 'There is no such conversation of this user.')
}

/**
 * Adds what the user wrote, in its order: each message a microsecond later than the one before, since the order is by time. There may be
 * nothing to add, where the last message stored is the question.
 *
 * @returns created_at of the last message, ISO 8601 with microseconds
 * @throws RequestError conversation_full, where they and their answer do not fit
 */
export async function addMessages(
  client: PoolClient,
  conversation: OpenConversation,
  messages: SentMessage[],
): Promise<string> {
  if (conversation.size + messages.length + 1 > CHAT_LIMITS.MESSAGES_PER_CONVERSATION) {
    throw new RequestError(
      'conversation_full',
      `A conversation has at most ${CHAT_LIMITS.MESSAGES_PER_CONVERSATION} messages.`,
    )
  }
  const { rows } = await client.query<{ last: string }>(
    `with added as (
       insert into public.amara_messages (conversation_id, role, content, created_at)
       select $1, m.role, m.content, m.n * interval '1 microsecond' + greatest(now(),
         (select max(created_at) from public.amara_messages where conversation_id = $1))
       from unnest($2::text[], $3::text[]) with ordinality as m (role, content, n)
       returning created_at)
     update public.amara_conversations set locale = $4, last_message_at = coalesce((select max(created_at) from added),
       (select max(created_at) from public.amara_messages where conversation_id = $1))
     where id = $1 returning to_json(last_message_at) as last`,
    [conversation.id, messages.map(({ role }) => role), messages.map(({ content }) => content), conversation.locale],
  )
  return rows[0]!.last
}

/** Adds the assistant's answer. @returns the message as it goes over the wire */
export async function addAnswer(
  client: PoolClient,
  conversationId: string,
  { answer, latencyMs, now }: { answer: AssistantAnswer; latencyMs: number; now: Date },
): Promise<Message> {
  const metadata = {
    model: answer.model,
    usage: answer.usage,
    timestamp: now.toISOString(),
    latency_ms: latencyMs,
    ...(answer.finishReason !== undefined && { finish_reason: answer.finishReason }),
  }
  const { rows } = await client.query<{ message: Message }>(
    `with added as (
       insert into public.amara_messages (conversation_id, role, content, tool_calls, metadata, created_at)
       select $1, 'assistant', $2, $3, $4, interval '1 microsecond' + greatest(now(),
         (select max(created_at) from public.amara_messages where conversation_id = $1))
       returning id, role, content, tool_calls, metadata, created_at),
     moved as (
       update public.amara_conversations set last_message_at = (select created_at from added) where id = $1)
     select to_json(added) as message from added`,
    [
      conversationId,
      answer.content,
      answer.toolCalls === null ? null : JSON.stringify(answer.toolCalls),
      JSON.stringify(metadata),
    ],
  )
  return rows[0]!.message
}

/** @returns undefined for one that is not there, or another's */
export async function readMessage(client: PoolClient, id: string): Promise<Message | undefined> {
  const { rows } = await client.query<{ message: Message }>(
    `select to_json(m) as message
     from (select id, role, content, tool_calls, metadata, created_at from public.amara_messages where id = $1) as m`,
    [id],
  )
  return rows[0]?.message
}

/**
 * The end of a conversation, oldest first, with as many messages as a request may add.
 *
 * @param until ISO 8601, inclusive; without it the very end
 */
export async function readEnd(
  client: PoolClient,
  conversationId: string,
  until?: string,
): Promise<{ role: string; content: string }[]> {
  const { rows } = await client.query<{ role: string; content: string }>(
    `select role, content from public.amara_messages
     where conversation_id = $1 and role <> 'system' and created_at <= coalesce($2::timestamptz, 'infinity')
     order by created_at desc, id desc limit $3`,
    [conversationId, until ?? null, CHAT_LIMITS.MESSAGES_PER_REQUEST],
  )
  return rows.toReversed()
}
