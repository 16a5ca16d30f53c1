import { join, resolve } from 'node:path'
import { createLogger, exitOnSignals, makeDirectory, readConfigOrExit, startOrExit } from '@platform-events/runtime'
import { settingsSchema } from './settings.ts'
import { type Standalone, startStandalone } from './standalone.ts'
import { welcome } from './welcome.ts'

const begun = performance.now()
const settings = readConfigOrExit(settingsSchema, process.env)
const dataDir = resolve(settings.DATA_DIR)
await startOrExit({ ...settings, command: 'npm start' }, async () => {
  await makeDirectory(dataDir)
  const logFile = settings.LOG_FILE ?? join(dataDir, 'platform-events.log')
  const logger = createLogger({
    name: 'standalone',
    level: settings.LOG_LEVEL,
    ...(logFile !== '-' && { file: logFile }),
  })
  console.log(`Starting platform-events in ${dataDir} …`)
  let started!: Standalone
  await exitOnSignals(
    async (stopping) => {
      const say = (sentence: string): void => console.log(sentence)
      started = await startStandalone({ ...settings, DATA_DIR: dataDir }, { logger, stopping, say })
      return started.running
    },
    (well) => console.log(well ? `Stopped. The data stays in ${dataDir}.` : `Stopped, not cleanly: see ${logFile}.`),
  )
  const { access, notes } = started
  for (const note of notes) console.log(note)
  console.log(
    welcome(access, {
      dataDir,
      isDefaultDir: dataDir === resolve('data'),
      transport: settings.KAFKA_BROKERS === undefined ? 'local' : 'Kafka',
      database: settings.DATABASE_URL === undefined ? 'embedded Postgres' : 'DATABASE_URL',
      marketplace: settings.MARKETPLACE === 'on',
      ms: performance.now() - begun,
    }),
  )
})
