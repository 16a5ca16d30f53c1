import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createLogger, exitOnSignals, readConfigOrExit, startOrExit } from '@platform-events/runtime'
import { settingsSchema } from './settings.ts'
import { startStandalone } from './standalone.ts'
import { welcome } from './welcome.ts'

const begun = performance.now()
const settings = readConfigOrExit(settingsSchema, process.env)
const dataDir = resolve(settings.DATA_DIR)
await startOrExit({ ...settings, command: 'npm start' }, async () => {
  await mkdir(dataDir, { recursive: true })
  const logFile = settings.LOG_FILE ?? join(dataDir, 'platform-events.log')
  const logger = createLogger({
    name: 'standalone',
    level: settings.LOG_LEVEL,
    ...(logFile !== '-' && { file: logFile }),
  })
  console.log(`Starting platform-events in ${dataDir} …`)
  const starting = startStandalone({ ...settings, DATA_DIR: dataDir }, logger)
  await exitOnSignals(
    async () => (await starting).running,
    (well) => console.log(well ? `Stopped. The data stays in ${dataDir}.` : `Stopped, not cleanly: see ${logFile}.`),
  )
  const { access, notes } = await starting
  for (const note of notes) console.log(note)
  console.log(
    welcome(access, {
      dataDir,
      isDefaultDir: dataDir === resolve('data'),
      transport: settings.KAFKA_BROKERS === undefined ? 'local' : 'Kafka',
      database: settings.DATABASE_URL === undefined ? 'embedded Postgres' : 'DATABASE_URL',
      ms: performance.now() - begun,
    }),
  )
})
