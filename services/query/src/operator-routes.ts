import { RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticator } from './auth.ts'
import { giveUpDeadLetter, mendDeadLetter, replayDeadLetter } from './dead-letter-actions.ts'
import { listDeadLetters, showDeadLetter } from './dead-letters.ts'
import { readLedger } from './ledger.ts'
import { acknowledgeLoss, listLosses } from './losses.ts'
import type { Operator } from './operators.ts'

const BODY_BYTES = 256 * 1024

type Act = (pool: Pool, id: number, body: unknown, operator: Operator) => Promise<object>

/** Loss events and dead letters, for operators alone: by their token in the Authorization header, no cookie and no JWT. */
export function operatorRoutes(pool: Pool, authenticator: Authenticator): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      await authenticator.operatorTokenHash(request, reply)
      reply.header('cache-control', 'no-store')
    })
    const acting = (act: Act) => async (request: FastifyRequest, reply: FastifyReply) =>
      act(pool, idOf(request), request.body ?? {}, {
        tokenHash: await authenticator.operatorTokenHash(request, reply),
      })
    const options = { bodyLimit: BODY_BYTES }

    app.get('/v1/losses', (request) => listLosses(pool, request.query))
    app.post('/v1/losses/:id/acknowledge', options, acting(acknowledgeLoss))
    app.get('/v1/dead-letters', (request) => listDeadLetters(pool, request.query))
    app.get('/v1/dead-letters/:id', (request) => showDeadLetter(pool, idOf(request)))
    app.post('/v1/dead-letters/:id/mend', options, acting(mendDeadLetter))
    app.post('/v1/dead-letters/:id/replay', options, acting(replayDeadLetter))
    app.post('/v1/dead-letters/:id/give-up', options, acting(giveUpDeadLetter))
  }
}

/** The delivery ledger, for operators: it only reads, so the page may show it by the session that it has. */
export function ledgerRoute(pool: Pool, authenticator: Authenticator, clock: () => number): FastifyPluginAsync {
  return async (app) => {
    app.get('/v1/ledger', async (request, reply) => {
      await authenticator.authenticateOperator(request, reply)
      reply.header('cache-control', 'no-store')
      return await readLedger(pool, request.query, clock())
    })
  }
}

function idOf(request: FastifyRequest): number {
  const { id = '' } = request.params as { id?: string }
  if (!/^[1-9]\d{0,14}$/.test(id)) throw new RequestError('not_found', `"${id}" names nothing: it wants a number.`)
  return Number(id)
}
