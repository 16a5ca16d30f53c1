import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createLogger, exitOnSignals, readConfigOrExit } from '@platform-events/runtime'
import { settingsSchema } from './settings.ts'
import { startStandalone } from './standalone.ts'
import { explain, welcome } from './welcome.ts'

const begun = performance.now()
const settings = readConfigOrExit(settingsSchema, process.env)
const dataDir = resolve(settings.DATA_DIR)
try {
  await mkdir(dataDir, { recursive: true })
  const logFile = settings.LOG_FILE ?? join(dataDir, 'platform-events.log')
  const logger = createLogger({
    name: 'standalone',
    level: settings.LOG_LEVEL,
    ...(logFile !== '-' && { file: logFile }),
  })
  console.log(`Starting platform-events in ${dataDir} …`)
  const starting = startStandalone({ ...settings, DATA_DIR: dataDir }, logger)
  exitOnSignals(starting.then(({ running }) => running))
  const { access, notes } = await starting
  for (const note of notes) console.log(note)
  console.log(
    welcome(access, {
      dataDir,
      transport: settings.KAFKA_BROKERS === undefined ? 'local' : 'Kafka',
      database: settings.DATABASE_URL === undefined ? 'embedded Postgres' : 'DATABASE_URL',
      ms: performance.now() - begun,
    }),
  )
} catch (error) {
  fail(explain(error, settings) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error)))
}

function fail(sentence: string): never {
  console.error(sentence)
  process.exit(1)
}
