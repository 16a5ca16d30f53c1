import { inTransaction, type Pool } from '@platform-events/postgres'
import { asUser, becomeUser } from '../as-user.ts'
import { conversationNotFound } from './conversation.ts'
import { cursorOf, type Place } from './cursor.ts'
import { holdRequestsOf } from './requests.ts'
import type { Conversation, Message } from './shapes.ts'

/** The user's conversations, the one that moved last first. One row more than wanted tells whether there is another page. */
export async function listConversations(
  pool: Pool,
  userId: string,
  { limit, before }: { limit: number; before: Place | undefined },
): Promise<{ conversations: Conversation[]; next: string | null }> {
  const rows = await asUser(pool, userId, async (client) => {
    const { rows } = await client.query<{ conversation: Conversation }>(
      `select to_json(c) as conversation from (
         select id, locale, is_active, last_message_at, created_at, updated_at from public.amara_conversations
         where user_id = $1 and ($2::timestamptz is null or (last_message_at, id) < ($2, $3::uuid))
         order by last_message_at desc, id desc limit $4) as c`,
      [userId, before?.at ?? null, before?.id ?? null, limit + 1],
    )
    return rows.map(({ conversation }) => conversation)
  })
  const conversations = rows.slice(0, limit)
  const last = conversations.at(-1)
  const next = rows.length > limit && last ? cursorOf({ at: last.last_message_at, id: last.id }) : null
  return { conversations, next }
}

/**
 * The messages of one of the user's conversations, oldest first.
 *
 * @throws RequestError not_found, the same for another's and for none
 */
export async function listMessages(
  pool: Pool,
  userId: string,
  { conversationId, limit, after }: { conversationId: string; limit: number; after: Place | undefined },
): Promise<{ messages: Message[]; next: string | null }> {
  const rows = await asUser(pool, userId, async (client) => {
    const found = await client.query('select from public.amara_conversations where id = $1', [conversationId])
    if (found.rowCount === 0) throw conversationNotFound()
    const { rows } = await client.query<{ message: Message }>(
      `select to_json(m) as message from (
         select id, role, content, tool_calls, metadata, created_at from public.amara_messages
         where conversation_id = $1 and ($2::timestamptz is null or (created_at, id) > ($2, $3::uuid))
         order by created_at, id limit $4) as m`,
      [conversationId, after?.at ?? null, after?.id ?? null, limit + 1],
    )
    return rows.map(({ message }) => message)
  })
  const messages = rows.slice(0, limit)
  const last = messages.at(-1)
  return { messages, next: rows.length > limit && last ? cursorOf({ at: last.created_at, id: last.id }) : null }
}

/**
 * Closes one of the user's conversations; one that is closed already stays so.
 *
 * @throws RequestError not_found, the same for another's and for none
 */
export async function closeConversation(pool: Pool, userId: string, id: string): Promise<Conversation> {
  return await asUser(pool, userId, async (client) => {
    const { rows } = await client.query<{ conversation: Conversation }>(
      `update public.amara_conversations as c set is_active = false where id = $1
       returning json_build_object('id', c.id, 'locale', c.locale, 'is_active', c.is_active, 'last_message_at', c.last_message_at,
         'created_at', c.created_at, 'updated_at', c.updated_at) as conversation`,
      [id],
    )
    if (!rows[0]) throw conversationNotFound()
    return rows[0].conversation
  })
}

/**
 * Deletes one of the user's conversations with its messages.
 *
 * @throws RequestError not_found, the same for another's and for none
 */
export async function deleteConversation(pool: Pool, userId: string, id: string): Promise<void> {
  await inTransaction(pool, async (client) => {
    await holdRequestsOf(client, userId, id)
    await becomeUser(client, userId)
    const { rowCount } = await client.query('delete from public.amara_conversations where id = $1', [id])
    if (rowCount === 0) throw conversationNotFound()
  })
}
