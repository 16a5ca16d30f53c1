import { createHash } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import type { FastifyRequest } from 'fastify'
import { bearerOf } from './caller.ts'

/** Lets the bearer of an operator token that stands through, where the module runs alone. */
export function operatorTokenGuard(pool: Pool): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const token = bearerOf(request)
    const hash = createHash('sha256')
      .update(token ?? '')
      .digest()
    const { rowCount } = await pool.query(
      'select from events_internal.operator_tokens where token_hash = $1 and revoked_at is null',
      [hash],
    )
    if (rowCount === 0) throw new RequestError('unauthorized', 'This is no operator token that stands.')
  }
}
