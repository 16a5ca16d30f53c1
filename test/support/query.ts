import { createHash, randomBytes } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import { createLogger, createMetrics, type VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import { buildQueryApp, type QueryAppOptions } from '../../services/query/src/app.ts'

/** For tests: the service over a database, and an operator token that stands in it. */
export async function startTestQuery(
  pool: Pool,
  options: Partial<QueryAppOptions> = {},
): Promise<{ app: FastifyInstance; token: string; bearer: { authorization: string } }> {
  const token = `op_${randomBytes(24).toString('base64url')}`
  await pool.query('insert into events_internal.operator_tokens (token_hash, name) values ($1, $2)', [
    createHash('sha256').update(token).digest(),
    'test',
  ])
  const app = await buildQueryApp({
    pool,
    verifyJwt: noJwt,
    logger: createLogger({ name: 'query', level: 'silent' }),
    metrics: createMetrics(),
    ...options,
  })
  return { app, token, bearer: { authorization: `Bearer ${token}` } }
}

const noJwt: VerifyPlatformJwt = async () => null
