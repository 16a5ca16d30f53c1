import { createHash } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import { inTransaction, type Pool, type PoolClient, sqlstateOf } from '@platform-events/postgres'
import { becomeService, becomeUser } from '../as-user.ts'
import type { AssistantAnswer, AssistantMessage, Locale } from '../assistant/assistant.ts'
import {
  addAnswer,
  addMessages,
  beginConversation,
  conversationNotFound,
  holdConversation,
  type OpenConversation,
  readEnd,
  readMessage,
} from './conversation.ts'
import { historyOf } from './history.ts'
import { CHAT_LIMITS } from './limits.ts'
import { newMessages } from './new-messages.ts'
import {
  type Claim,
  claimRequest,
  holdRequest,
  type RequestKey,
  refuseAskedTwice,
  rememberQuestion,
  requestAnswered,
} from './requests.ts'
import type { ChatAnswer, ChatBody, SentMessage } from './shapes.ts'

/** A question that is stored and has no answer yet. */
export interface Question {
  conversationId: string
  /** created_at of its last message. */
  questionAt: string
  attempt: number
  locale: Locale
  messages: AssistantMessage[]
}

/** No lock is held for longer than such a statement takes. */
const BOUNDS = { statementTimeoutMs: 10_000, lockTimeoutMs: 5_000, idleInTransactionTimeoutMs: 10_000 }

/** After the model's time, what it may take to store its answer. */
const STORING_MS = 20_000

/**
 * Stores what the user wrote, each message once, in one transaction: or finds what the same request came to before.
 *
 * @param modelMs how long the assistant may take
 * @throws RequestError sign_in_required (a user whom the platform has no more), not_found, conversation_closed, conversation_full,
 *   idempotency_conflict, request_in_progress, invalid_query; what Postgres throws
 */
export async function beginTurn(
  pool: Pool,
  key: RequestKey,
  body: ChatBody,
  modelMs: number,
): Promise<{ question: Question } | { answered: ChatAnswer }> {
  const staleMs = modelMs + STORING_MS
  try {
    return await inTransaction(
      pool,
      async (client) => {
        const claim = await claimRequest(client, key, { bodyHash: hashOf(body), staleMs })
        await becomeUser(client, key.userId)
        if (claim.state === 'answered') return { answered: await answeredBefore(client, claim) }
        const question = claim.state === 'again' ? await askAgain(client, claim) : await askNew(client, key, body)
        await becomeService(client)
        // The conversation is held: of two at once that ask the same, without a key, the second sees the first here.
        await refuseAskedTwice(client, key, question, staleMs)
        await rememberQuestion(client, key, question)
        return { question }
      },
      BOUNDS,
    )
  } catch (error) {
    if (sqlstateOf(error) !== '23503') throw error
    throw new RequestError('sign_in_required', 'The user of this token is no more.', { cause: error })
  }
}

/**
 * Stores the assistant's answer with the end of the request, in one transaction.
 *
 * @throws RequestError request_in_progress (another attempt has taken over), not_found (the conversation was deleted meanwhile)
 */
export async function endTurn(
  pool: Pool,
  key: RequestKey,
  { conversationId, attempt }: Question,
  answer: { answer: AssistantAnswer; latencyMs: number; now: Date },
): Promise<ChatAnswer> {
  return await inTransaction(
    pool,
    async (client) => {
      await holdRequest(client, key, attempt)
      await becomeUser(client, key.userId)
      await holdConversation(client, conversationId)
      const message = await addAnswer(client, conversationId, answer)
      await becomeService(client)
      await requestAnswered(client, key, message.id)
      return { conversation_id: conversationId, message }
    },
    BOUNDS,
  )
}

/** Of what the body means: whether its answer is to come as a stream is not part of it. */
function hashOf({ messages, conversation_id, locale }: ChatBody): Buffer {
  const meant = [messages.map(({ role, content }) => [role, content]), conversation_id ?? null, locale ?? null]
  return createHash('sha256').update(JSON.stringify(meant)).digest()
}

async function askNew(client: PoolClient, { userId }: RequestKey, body: ChatBody): Promise<Question> {
  const { conversation, stored } = await open(client, userId, body)
  const added = toAdd(stored, body.messages)
  const questionAt = await addMessages(client, conversation, added)
  const messages = historyOf([...(stored ?? []), ...added])
  return { conversationId: conversation.id, questionAt, attempt: 1, locale: conversation.locale, messages }
}

/**
 * A conversation that begins brings its history along, or the end of it; later nobody can put words into the assistant's mouth.
 *
 * @throws RequestError invalid_query, where more is new than a request may bring
 */
function toAdd(stored: { role: string; content: string }[] | undefined, sent: SentMessage[]): SentMessage[] {
  const { MESSAGES_PER_REQUEST: most } = CHAT_LIMITS
  if (stored === undefined) return sent.slice(-most)
  const added = newMessages(stored, sent)
  if (added.length > most)
    throw new RequestError('invalid_query', `messages: ${added.length} of them are new, wants ${most} at most`)
  return added
}

async function open(
  client: PoolClient,
  userId: string,
  { conversation_id: id, locale }: ChatBody,
): Promise<{ conversation: OpenConversation; stored?: { role: string; content: string }[] }> {
  if (id === undefined || id === null) return { conversation: await beginConversation(client, userId, locale ?? 'en') }
  const found = await holdConversation(client, id)
  if (!found.isActive) throw closed()
  return { conversation: { ...found, locale: locale ?? found.locale }, stored: await readEnd(client, id) }
}

async function askAgain(
  client: PoolClient,
  { attempt, conversationId, questionAt }: Extract<Claim, { state: 'again' }>,
): Promise<Question> {
  if (conversationId === null || questionAt === null) throw conversationNotFound()
  const { locale, isActive } = await holdConversation(client, conversationId)
  if (!isActive) throw closed()
  const messages = historyOf(await readEnd(client, conversationId, questionAt))
  return { conversationId, questionAt, attempt, locale, messages }
}

async function answeredBefore(
  client: PoolClient,
  { conversationId, answerId }: Extract<Claim, { state: 'answered' }>,
): Promise<ChatAnswer> {
  const message = answerId === null ? undefined : await readMessage(client, answerId)
  if (conversationId === null || message === undefined) throw conversationNotFound()
  return { conversation_id: conversationId, message }
}

function closed(): RequestError {
  return new RequestError('conversation_closed', 'This conversation has been closed.')
}
