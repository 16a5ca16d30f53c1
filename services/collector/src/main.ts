import { join, resolve } from 'node:path'
import { openCollectingLog } from '@platform-events/event-log'
import { createPool, postgresComponent } from '@platform-events/postgres'
import {
  createLogger,
  createMetrics,
  exitOnSignals,
  httpComponent,
  makeDirectory,
  platformJwtVerifier,
  readConfigOrExit,
  startComponents,
  startOrExit,
} from '@platform-events/runtime'
import { buildCollector } from './app.ts'
import { deliveryReporter } from './delivery-reporter.ts'
import { loadSources } from './load-sources.ts'
import { watchedLog } from './log-health.ts'
import { ReceivedCounts } from './received-counts.ts'
import { saveDeliveryReport } from './save-delivery-report.ts'
import { settingsSchema } from './settings.ts'
import { sourceDirectory } from './sources.ts'
import { sourcesFile } from './sources-file.ts'
import { spoolMetrics } from './spool-metrics.ts'

const settings = readConfigOrExit(settingsSchema, process.env)
await startOrExit(settings, async () => {
  const dataDir = resolve(settings.DATA_DIR)
  await makeDirectory(dataDir)
  const logger = createLogger({ name: 'collector', level: settings.LOG_LEVEL })
  const metrics = createMetrics()

  const eventLog = await openCollectingLog({ ...settings, DATA_DIR: dataDir }, logger)
  const pool = createPool({ connectionString: settings.DATABASE_URL, applicationName: 'collector', max: 2 })
  const sources = sourceDirectory({
    load: () => loadSources(pool),
    file: sourcesFile(dataDir, settings.DATABASE_URL),
    logger,
    refreshMs: settings.SOURCES_REFRESH_MS,
  })
  const log = watchedLog(eventLog)
  spoolMetrics(metrics, eventLog)
  const received = new ReceivedCounts()
  const reporter = deliveryReporter({
    log: eventLog,
    received,
    save: (report) => saveDeliveryReport(pool, report),
    file: join(dataDir, 'delivery-report.json'),
    logger,
  })
  const app = await buildCollector({
    logger,
    metrics,
    log,
    sources,
    received,
    verifyJwt: platformJwtVerifier(settings),
    maxInFlightBytes: settings.MAX_IN_FLIGHT_BYTES,
    checks: { log: log.check, sources: sources.check },
  })

  const components = [
    { name: 'event log', start: async () => {}, stop: () => eventLog.close() },
    postgresComponent(pool, logger),
    sources,
    reporter,
    httpComponent(app, { host: settings.HOST, port: settings.PORT }),
  ]
  await exitOnSignals((stopping) => startComponents(components, logger, stopping))
})
