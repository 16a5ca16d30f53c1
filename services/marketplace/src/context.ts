import type { Pool } from '@platform-events/postgres'
import type { Logger, Registry, VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Assistant } from './assistant/assistant.ts'

/** What every part of the module works with. */
export interface MarketplaceContext {
  pool: Pool
  verifyJwt: VerifyPlatformJwt
  logger: Logger
  metrics: Registry
  /** Answers the chat. */
  assistant: Assistant
  /** Pages of which other origins may call. */
  origins: readonly string[]
  /** Milliseconds since 1970. */
  clock: () => number
  /** Lets an operator through. @throws RequestError unauthorized */
  authorizeOperator: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
}
