import { isUuid } from '@platform-events/contracts'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { type Caller, callerOf } from '../caller.ts'
import type { MarketplaceContext } from '../context.ts'
import { parse } from '../parse.ts'
import { chatRoute } from './chat-route.ts'
import { conversationNotFound } from './conversation.ts'
import { closeConversation, deleteConversation, listConversations, listMessages } from './conversations.ts'
import { placeOf } from './cursor.ts'
import { CHAT_LIMITS } from './limits.ts'
import { chatMetrics } from './metrics.ts'
import { conversationsQuery, messagesQuery } from './shapes.ts'

/** The assistant's chat and the conversations that a user has with it. */
export function chatRoutes(context: MarketplaceContext): FastifyPluginAsync {
  const { pool, verifyJwt } = context
  const metrics = chatMetrics(context.metrics)
  return async (app) => {
    app.decorateRequest('caller')
    // Before the body is read, and before the rate is counted: that is the caller's.
    app.addHook('onRequest', async (request) => {
      request.setDecorator('caller', await callerOf(request, verifyJwt))
    })

    const rateLimit = { max: CHAT_LIMITS.REQUESTS_PER_MINUTE, timeWindow: 60_000, keyGenerator: userOf }
    app.post(
      '/api/amara/chat',
      { bodyLimit: CHAT_LIMITS.BODY_BYTES, config: { rateLimit } },
      chatRoute(context, metrics, callerIn),
    )
    app.get('/api/amara/conversations', async (request) => {
      const { limit, before } = parse(conversationsQuery, request.query)
      return await listConversations(pool, userOf(request), { limit, before: placeOf(before, 'before') })
    })
    app.get('/api/amara/conversations/:id/messages', async (request) => {
      const { limit, after } = parse(messagesQuery, request.query)
      const place = placeOf(after, 'after')
      return await listMessages(pool, userOf(request), { conversationId: idIn(request), limit, after: place })
    })
    app.post('/api/amara/conversations/:id/close', { bodyLimit: 1024 }, async (request) => {
      return { conversation: await closeConversation(pool, userOf(request), idIn(request)) }
    })
    app.delete('/api/amara/conversations/:id', { bodyLimit: 1024 }, async (request, reply) => {
      await deleteConversation(pool, userOf(request), idIn(request))
      return reply.code(204).send()
    })
  }
}

function callerIn(request: FastifyRequest): Caller {
  return request.getDecorator<Caller>('caller')
}

function userOf(request: FastifyRequest): string {
  return callerIn(request).userId
}

/** @throws RequestError not_found for what is no id, as for an id of nothing */
function idIn(request: FastifyRequest): string {
  const { id } = request.params as { id: string }
  if (!isUuid(id)) throw conversationNotFound()
  return id
}
