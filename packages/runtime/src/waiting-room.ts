import { RequestError } from '@platform-events/contracts'
import { buildHttp, httpComponent } from './http.ts'
import type { Component } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import { createMetrics } from './metrics.ts'

export interface WaitingRoomOptions {
  host: string
  port: number
  logger: Logger
  /** Why Postgres, without which nothing else can start, is not reached. */
  reason(): string
}

/**
 * Stands at the port of a process that waits for Postgres before it can start: /livez says 200, /readyz 503 and the reason, and
 * everything else is a 503 with Retry-After, so that trackers keep what they have and ask again.
 */
export function waitingRoom(options: WaitingRoomOptions): Component {
  const { host, port, logger, reason } = options
  const postgres = () => ({ ok: false, detail: reason() })
  const app = buildHttp({ logger, metrics: createMetrics(), checks: { postgres } })
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  app.all('/*', () => {
    throw new RequestError('database_unavailable', 'This process waits for its Postgres.', { retryAfterSeconds: 1 })
  })
  return httpComponent(app, { host, port })
}
