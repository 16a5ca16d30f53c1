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
import { assistantOf, createJobs, marketplaceRoutes } from '@platform-events/marketplace'
import { migrate, migrateMarketplace } from '@platform-events/postgres'
import { analysisOptions, createAuthenticator, queryRoutes } from '@platform-events/query'
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
import { whenPostgresIsReached } from './when-reached.ts'

export interface Standalone {
  running: RunningProcess
  access: Access
  /** Sentences for the user: what was recovered, and where things were put. */
  notes: string[]
}

export interface StartOptions {
  logger: Logger
  /** Its abort ends the start where it is. */
  stopping: AbortSignal
  /** Tells the user a sentence while the start takes its time. */
  say(sentence: string): void
}

/**
 * All services in one process and on one origin: the parts below in their start order, each behind its own port. Waits for a
 * Postgres that is away.
 *
 * @throws an error whose message says in a sentence what is in the way; the signal's reason, where it ended the waiting
 */
export async function startStandalone(settings: Settings, options: StartOptions): Promise<Standalone> {
  const { logger, stopping } = options
  const foundation = await openFoundation(settings, logger)
  try {
    const known = await whenPostgresIsReached(() => prepareDatabase(settings, foundation, logger), {
      ...options,
      host: settings.HOST,
      port: settings.PORT,
    })
    const components = await buildParts(settings, foundation, known.access, logger)
    const running = await startComponents([foundation, ...components], logger, stopping)
    const notes = [...foundation.database.notes, ...known.notes, ...(await kafkaNote(foundation.log, stopping))]
    return { running, access: known.access, notes }
  } catch (error) {
    await foundation.stop()
    throw error
  }
}

/** Migrations that drop what the platform had are for `platform-events marketplace migrate`: no start of a process takes a table away. */
const DROPS = 900

/** Brings the schema up to date, and sees to it that the keys of the access file are known. */
async function prepareDatabase(
  settings: Settings,
  { pool, database }: Foundation,
  logger: Logger,
): Promise<{ access: Access; notes: string[] }> {
  const { HOST: host, PORT: port, DATA_DIR } = settings
  await migrate(database.url, { logger })
  // On a laptop there is no platform, so the least of its own tables is made too.
  if (settings.MARKETPLACE === 'on')
    await migrateMarketplace(database.url, { logger, development: database.embedded, before: DROPS })
  return await ensureAccess(pool, join(DATA_DIR, 'access.json'), {
    url: `http://${/^(0\.0\.0\.0|::)$/.test(host) ? '127.0.0.1' : host}:${port}`,
    databaseUrl: database.embedded ? database.url : undefined,
    // On a laptop there is no platform that could say who a user is.
    userIds: database.embedded ? 'trust' : 'verify',
    signsTokens: settings.MARKETPLACE === 'on' && database.embedded && !settings.JWT_SECRET && !settings.JWKS_URL,
  })
}

async function buildParts(
  settings: Settings,
  { pool, log, database }: Foundation,
  access: Access,
  logger: Logger,
): Promise<Component[]> {
  const { HOST: host, PORT: port, DATA_DIR } = settings
  const metrics = createMetrics()
  const verifyJwt = platformJwtVerifier({ ...settings, JWT_SECRET: access.jwt_secret ?? settings.JWT_SECRET })
  const sources = sourceDirectory({ load: () => loadSources(pool), file: sourcesFile(DATA_DIR, database.url), logger })
  const retention = createRetention({ pool, logger, metrics, keepDays: settings.RETENTION_KEEP_DAYS })
  const jobs = settings.MARKETPLACE === 'on' ? [createJobs({ pool, logger, metrics })] : []
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
    trustProxy: settings.TRUST_PROXY,
    // Events are taken as long as these two are well. A balancer that took the process out for the others would lose events for nothing.
    checks: { log: collected.check, sources: sources.check },
    behind: {
      ...{ retention: retention.check, consumer: consumer.check },
      ...Object.fromEntries(jobs.map(({ name, check }) => [name, check])),
    },
  })
  await app.register(collectorRoutes({ log: collected, sources, received, verifyJwt, metrics }))
  // From the token, so that an open page stays signed in over a restart; whoever knows the token needs no cookie.
  const sessionKey = createHash('sha256').update(`session ${access.operator_token}`).digest()
  await app.register(queryRoutes({ pool, verifyJwt, logger, metrics, sessionKey, ...analysisOptions(settings) }))
  if (settings.MARKETPLACE === 'on') {
    const authenticator = createAuthenticator({ pool, verifyJwt, clock: Date.now, sessionKey })
    await app.register(
      marketplaceRoutes({
        ...{
          pool,
          verifyJwt,
          logger,
          metrics,
          clock: Date.now,
          assistant: assistantOf(settings),
          origins: settings.MARKETPLACE_ORIGINS,
        },
        authorizeOperator: authenticator.authenticateOperator,
      }),
    )
  }
  await app.register(
    dashboardRoutes({ script: buildTrackerScript, module: buildTrackerModule, writeKey: () => access.write_key }),
  )
  const http = httpComponent(app, { host, port })
  return [sources, reporter, retention, consumer, ...jobs, logTrim(log, pool, logger), http]
}
