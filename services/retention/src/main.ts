import { parseArgs } from 'node:util'
import { createPool, postgresComponent } from '@platform-events/postgres'
import {
  buildHttp,
  commonSettings,
  createLogger,
  createMetrics,
  databaseSettings,
  exitOnSignals,
  httpComponent,
  readConfigOrExit,
  startComponents,
  startOrExit,
} from '@platform-events/runtime'
import { z } from 'zod'
import { createRetention } from './retention.ts'
import { verifySegments } from './verify-segment.ts'

// --once: one run, for cron; exits with 1 if something was not done. --verify: compares segments with their rows; exits with 1 if one differs.
// --json: prints the report and nothing else.
const { values: flags } = parseArgs({
  options: { once: { type: 'boolean' }, verify: { type: 'boolean' }, json: { type: 'boolean' } },
})

const days = z.coerce.number().int()
const settings = readConfigOrExit(
  z.object({
    ...commonSettings,
    ...databaseSettings,
    RETENTION_KEEP_DAYS: days.min(8).default(90),
    RETENTION_PREMAKE_DAYS: days.min(1).max(365).default(7),
    RETENTION_EVERY_MS: z.coerce.number().int().min(1000).default(3_600_000),
    RETENTION_SEGMENTS_EVERY_MS: z.coerce.number().int().min(1000).default(60_000),
  }),
  process.env,
)

const logger = createLogger({ name: 'retention', level: flags.json ? 'silent' : settings.LOG_LEVEL })
const metrics = createMetrics()
const pool = createPool({
  connectionString: settings.DATABASE_URL,
  applicationName: 'platform-events retention',
  max: 3,
})
const retention = createRetention({
  pool,
  logger,
  metrics,
  keepDays: settings.RETENTION_KEEP_DAYS,
  premakeDays: settings.RETENTION_PREMAKE_DAYS,
  everyMs: settings.RETENTION_EVERY_MS,
  segmentsEveryMs: settings.RETENTION_SEGMENTS_EVERY_MS,
})

await startOrExit(settings, async () => {
  if (flags.verify) {
    const verified = await verifySegments(pool)
    await pool.end()
    const different = verified.filter(({ verdict }) => verdict === 'different')
    for (const segment of different) logger.error({ ...segment }, 'a segment differs from its rows')
    if (flags.json) process.stdout.write(`${JSON.stringify({ verified })}\n`)
    process.exitCode = different.length === 0 ? 0 : 1
  } else if (flags.once) {
    const report = await retention.runNow()
    await pool.end()
    if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`)
    process.exitCode = report.problems.length === 0 ? 0 : 1
  } else {
    const app = buildHttp({ logger, metrics, checks: { retention: retention.check } })
    const components = [
      postgresComponent(pool, logger),
      retention,
      httpComponent(app, { host: settings.HOST, port: settings.PORT }),
    ]
    await exitOnSignals((stopping) => startComponents(components, logger, stopping))
  }
})
