import { LIMITS } from '@platform-events/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { parse } from './parse.ts'
import type { Tail } from './tail.ts'

export const tailQuery = z.strictObject({
  event_type: z
    .string()
    .min(1)
    .max(LIMITS.EVENT_TYPE_CHARACTERS)
    .refine((text) => !text.includes('\0'), 'no event type has a NUL in it')
    .optional(),
  limit: z.coerce
    .number({ error: 'wants a whole number from 0 to 200' })
    .int('wants a whole number from 0 to 200')
    .min(0, 'wants a whole number from 0 to 200')
    .max(200, 'wants a whole number from 0 to 200')
    .default(20),
})

/** GET /v1/events/tail: the last `limit` events, then every new one as it is stored, as server-sent events. */
export function tailRoute(tail: Tail): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    const query = parse(tailQuery, request.query)
    const lastEventId = request.headers['last-event-id']
    tail.admit()
    reply.hijack()
    tail.subscribe(reply.raw, {
      eventType: query.event_type,
      backlog: query.limit,
      lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
    })
  }
}
