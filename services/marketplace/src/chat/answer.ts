import { RequestError } from '@platform-events/contracts'
import { type AssistantAnswer, AssistantError } from '../assistant/assistant.ts'
import type { MarketplaceContext } from '../context.ts'
import { asRequestError } from '../database-errors.ts'
import type { ChatMetrics, ChatOutcome } from './metrics.ts'
import { type RequestKey, requestFailed } from './requests.ts'
import type { ChatAnswer, ChatBody } from './shapes.ts'
import { beginTurn, endTurn, type Question } from './turn.ts'

export interface ChatRequest {
  key: RequestKey
  body: ChatBody
  /** Its abort says that nobody waits for the answer any more; its reason is an AssistantError. */
  gone: AbortSignal
  /** What the user wrote is stored. */
  onConversation(id: string): void
  /** A piece of the answer, in order. */
  onDelta(content: string): void
}

/**
 * One request to the chat from its first statement to its last: no connection is held while the assistant answers.
 *
 * @throws RequestError as `beginTurn` and `endTurn`, assistant_failed, assistant_timeout, database_unavailable; what else Postgres throws
 */
export async function answerChat(
  context: MarketplaceContext,
  metrics: ChatMetrics,
  request: ChatRequest,
): Promise<ChatAnswer> {
  const begun = await beginTurn(context.pool, request.key, request.body, context.assistant.timeoutMs).catch((error) => {
    const known = asRequestError(error)
    metrics.count(known instanceof RequestError && known.code !== 'database_unavailable' ? 'refused' : 'error')
    throw known
  })
  if ('answered' in begun) {
    metrics.count('replayed')
    request.onConversation(begun.answered.conversation_id)
    if (begun.answered.message.content !== '') request.onDelta(begun.answered.message.content)
    return begun.answered
  }
  request.onConversation(begun.question.conversationId)
  const startedMs = context.clock()
  const tookMs = (): number => Math.max(0, Math.round(context.clock() - startedMs))
  try {
    const answer = await askAssistant(context, begun.question, request)
    const latencyMs = tookMs()
    const now = new Date(context.clock())
    const stored = await endTurn(context.pool, request.key, begun.question, { answer, latencyMs, now })
    metrics.count('answered', latencyMs)
    return stored
  } catch (error) {
    const failure = failureOf(error)
    metrics.count(failure.outcome, tookMs())
    await noteFailure(context, request.key, begun.question, failure)
    throw failure.error
  }
}

/** Bounds the assistant by its time, and by the caller's patience. */
async function askAssistant(
  { assistant }: MarketplaceContext,
  { messages, locale }: Question,
  { gone, onDelta }: ChatRequest,
): Promise<AssistantAnswer> {
  const ending = new AbortController()
  const timer = setTimeout(
    () => ending.abort(new AssistantError('timeout', `no whole answer in ${assistant.timeoutMs} ms`)),
    assistant.timeoutMs,
  )
  // And no AbortSignal.any(), of which Node 20 forgets the sources it was made of.
  const leave = (): void => ending.abort(gone.reason)
  gone.addEventListener('abort', leave)
  try {
    gone.throwIfAborted()
    return await assistant.answer({ messages, locale, signal: ending.signal }, onDelta)
  } finally {
    clearTimeout(timer)
    gone.removeEventListener('abort', leave)
  }
}

interface Failure {
  outcome: ChatOutcome
  /** For chat_requests. */
  code: string
  /** For the caller. */
  error: unknown
  cause: unknown
}

function failureOf(cause: unknown): Failure {
  if (!(cause instanceof AssistantError)) {
    const error = asRequestError(cause)
    return { outcome: 'error', code: error instanceof RequestError ? error.code : 'internal', error, cause }
  }
  const { kind } = cause
  if (kind === 'timeout') {
    const error = new RequestError('assistant_timeout', 'The assistant took too long.', { cause })
    return { outcome: 'timeout', code: kind, error, cause }
  }
  const error = new RequestError('assistant_failed', 'The assistant gave no answer.', { cause })
  return { outcome: kind === 'cancelled' ? 'cancelled' : 'failed', code: kind, error, cause }
}

/** Where even this fails, the request stays pending, and is taken over when its time is up. */
async function noteFailure(
  { pool, logger }: MarketplaceContext,
  key: RequestKey,
  { conversationId, attempt }: Question,
  { outcome, code, cause }: Failure,
): Promise<void> {
  if (outcome !== 'cancelled') logger.warn({ err: cause, conversationId, code }, 'the assistant gave no answer')
  try {
    await requestFailed(pool, key, attempt, code)
  } catch (error) {
    logger.warn({ err: error, conversationId }, 'a failed chat request could not be noted')
  }
}
