import { randomUUID } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AssistantError } from '../assistant/assistant.ts'
import type { Caller } from '../caller.ts'
import type { MarketplaceContext } from '../context.ts'
import { parse } from '../parse.ts'
import { answerChat } from './answer.ts'
import { CHAT_LIMITS } from './limits.ts'
import type { ChatMetrics } from './metrics.ts'
import { type ChatAnswer, chatBody } from './shapes.ts'
import { errorBodyOf, sseAnswer } from './sse-answer.ts'

/** POST /api/amara/chat: the answer as JSON, or, where the caller asks for it, piece by piece as server-sent events. */
export function chatRoute(
  context: MarketplaceContext,
  metrics: ChatMetrics,
  callerOf: (request: FastifyRequest) => Caller,
): (request: FastifyRequest, reply: FastifyReply) => Promise<ChatAnswer | FastifyReply> {
  return async (request, reply) => {
    const body = parse(chatBody, request.body)
    const key = { userId: callerOf(request).userId, idempotencyKey: idempotencyKeyOf(request) }
    const asked = { key, body, gone: goneSignal(reply) }
    const asStream = body.stream ?? /\btext\/event-stream\b/i.test(request.headers.accept ?? '')
    if (!asStream)
      return await answerChat(context, metrics, { ...asked, onConversation: () => undefined, onDelta: () => undefined })

    const stream = sseAnswer(reply)
    try {
      const answer = await answerChat(context, metrics, {
        ...asked,
        onConversation: (id) => stream.send('conversation', { conversation_id: id }),
        onDelta: (content) => stream.send('delta', { content }),
      })
      stream.send('done', answer)
    } catch (error) {
      if (!stream.begun) throw error
      if (!(error instanceof RequestError)) request.log.error({ err: error, reqId: request.id }, 'a chat stream failed')
      stream.send('error', errorBodyOf(error))
    }
    stream.end()
    return reply
  }
}

/** A request without a key is one of its own. */
function idempotencyKeyOf(request: FastifyRequest): string {
  const key = request.headers['idempotency-key']
  if (key === undefined) return randomUUID()
  if (typeof key === 'string' && key.length <= CHAT_LIMITS.IDEMPOTENCY_KEY_CHARACTERS && /^[\x21-\x7e]+$/.test(key))
    return key
  throw new RequestError(
    'invalid_query',
    `Idempotency-Key: wants 1 to ${CHAT_LIMITS.IDEMPOTENCY_KEY_CHARACTERS} visible ASCII characters`,
  )
}

/** Aborts when the connection closes before the answer is out. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new AssistantError('cancelled', 'the caller is gone'))
  })
  return gone.signal
}
