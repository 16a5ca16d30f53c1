import { openConsumedLog, openDeadLetterTopic } from '@platform-events/event-log'
import { createPool, postgresComponent } from '@platform-events/postgres'
import {
  buildHttp,
  type Component,
  commonSettings,
  createLogger,
  createMetrics,
  databaseSettings,
  deadLetterSettings,
  exitOnSignals,
  httpComponent,
  kafkaSettings,
  readConfigOrExit,
  startComponents,
  startOrExit,
} from '@platform-events/runtime'
import { z } from 'zod'
import { createConsumer } from './consumer.ts'

const count = z.coerce.number().int()
const settings = readConfigOrExit(
  z.object({
    ...commonSettings,
    ...databaseSettings,
    ...kafkaSettings,
    ...deadLetterSettings,
    CONSUMER_GROUP: z.string().default('platform-events'),
    /** 0 to 15, another one for each consumer process; any at random unless given. */
    CONSUMER_SHARD: count.min(0).max(15).optional(),
    /** Events in one load. */
    CONSUMER_MAX_EVENTS: count.min(1).max(50_000).default(10_000),
    /** The longest that events wait for more to come. */
    CONSUMER_LINGER_MS: count.min(0).max(60_000).default(250),
    /** So many dead letters in a row with one code pause the consumer: the fault is then most likely ours. */
    CONSUMER_DEAD_IN_A_ROW: count.min(1).default(100),
  }),
  process.env,
)

const logger = createLogger({ name: 'consumer', level: settings.LOG_LEVEL })
const metrics = createMetrics()
const pool = createPool({
  connectionString: settings.DATABASE_URL,
  applicationName: 'platform-events consumer',
  max: 5,
})
await startOrExit(settings, async () => {
  const log = openConsumedLog(settings, logger)
  const consumer = createConsumer({
    log,
    deadLetterTopic: openDeadLetterTopic(settings, logger),
    pool,
    logger,
    metrics,
    group: settings.CONSUMER_GROUP,
    shard: settings.CONSUMER_SHARD ?? Math.floor(Math.random() * 16),
    maxEvents: settings.CONSUMER_MAX_EVENTS,
    lingerMs: settings.CONSUMER_LINGER_MS,
    deadInARow: settings.CONSUMER_DEAD_IN_A_ROW,
  })
  const postgres = postgresComponent(pool, logger)
  const eventLog: Component = { name: 'event log', start: async () => {}, stop: () => log.close() }
  const app = buildHttp({ logger, metrics, checks: { consumer: consumer.check } })

  const http = httpComponent(app, { host: settings.HOST, port: settings.PORT })

  await exitOnSignals((stopping) => startComponents([postgres, eventLog, consumer, http], logger, stopping))
})
