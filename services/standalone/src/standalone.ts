import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  collectorRoutes,
  deliveryReporter,
  loadSources,
  ReceivedCounts,
  saveDeliveryReport,
  sourceDirectory,
  sourcesFile,
  spoolMetrics,
  watchedLog,
} from '@platform-events/collector'
import { createConsumer } from '@platform-events/consumer'
import { dashboardRoutes } from '@platform-events/dashboard'
import { openDeadLetterTopic } from '@platform-events/event-log'
import { queryRoutes } from '@platform-events/query'
import { createRetention } from '@platform-events/retention'
import {
  buildHttp,
  type Component,
  createMetrics,
  httpComponent,
  type Logger,
  platformJwtVerifier,
  type RunningProcess,
  startComponents,
} from '@platform-events/runtime'
import { buildTrackerModule, buildTrackerScript } from '@platform-events/tracker/bundle'
import { type Access, ensureAccess } from './access.ts'
import { type Foundation, openFoundation } from './foundation.ts'
import { kafkaNote } from './kafka-note.ts'
import { logTrim } from './log-trim.ts'
import type { Settings } from './settings.ts'

export interface Standalone {
  running: RunningProcess
  access: Access
  /** Sentences for the user: what was recovered, and where things were put. */
  notes: string[]
}

/** All services in one process and on one origin: the parts below in their start order, each behind its own port. */
export async function startStandalone(settings: Settings, logger: Logger): Promise<Standalone> {
  const foundation = await openFoundation(settings, logger)
  try {
    const { access, notes, components } = await buildParts(settings, foundation, logger)
    const running = await startComponents([foundation, ...components], logger)
    return { running, access, notes: [...foundation.database.notes, ...notes, ...(await kafkaNote(foundation.log))] }
  } catch (error) {
    await foundation.stop()
    throw error
  }
}

async function buildParts(
  settings: Settings,
  { pool, log, database }: Foundation,
  logger: Logger,
): Promise<{ access: Access; notes: string[]; components: Component[] }> {
  const { HOST: host, PORT: port, DATA_DIR } = settings
  const metrics = createMetrics()
  const verifyJwt = platformJwtVerifier(settings)
  const { access, notes } = await ensureAccess(pool, join(DATA_DIR, 'access.json'), {
    url: `http://${/^(0\.0\.0\.0|::)$/.test(host) ? '127.0.0.1' : host}:${port}`,
    databaseUrl: database.embedded ? database.url : undefined,
    // On a laptop there is no platform that could say who a user is.
    userIds: database.embedded ? 'trust' : 'verify',
  })
  const sources = sourceDirectory({ load: () => loadSources(pool), file: sourcesFile(DATA_DIR, database.url), logger })
  const retention = createRetention({ pool, logger, metrics, keepDays: settings.RETENTION_KEEP_DAYS })
  const deadLetterTopic = openDeadLetterTopic(settings, logger)
  const consumer = createConsumer({ log, deadLetterTopic, pool, logger, metrics })
  const collected = watchedLog(log)
  spoolMetrics(metrics, log)
  const received = new ReceivedCounts()
  const reporter = deliveryReporter({
    log,
    received,
    save: (report) => saveDeliveryReport(pool, report),
    file: join(DATA_DIR, 'delivery-report.json'),
    logger,
  })

  const app = buildHttp({
    logger,
    metrics,
    checks: { log: collected.check, sources: sources.check, retention: retention.check, consumer: consumer.check },
  })
  await app.register(collectorRoutes({ log: collected, sources, received, verifyJwt, metrics }))
  // From the token, so that an open page stays signed in over a restart; whoever knows the token needs no cookie.
  const sessionKey = createHash('sha256').update(`session ${access.operator_token}`).digest()
  await app.register(queryRoutes({ pool, verifyJwt, logger, metrics, sessionKey }))
  await app.register(
    dashboardRoutes({ script: buildTrackerScript, module: buildTrackerModule, writeKey: () => access.write_key }),
  )
  const http = httpComponent(app, { host, port })
  const components = [sources, reporter, retention, consumer, logTrim(log, pool, logger), http]
  return { access, notes, components }
}
