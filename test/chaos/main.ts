// What `npm run chaos` runs: the machine that attacks the product and then counts.
import { whyNoJvm } from '../support/kafka-jvm.ts'
import { runChaos } from './chaos.ts'
import { startReaper } from './reaper.ts'
import { createReport } from './report.ts'
import { parseSettings, type Settings, USAGE } from './settings.ts'

let settings: Settings
try {
  settings = parseSettings(process.argv.slice(2))
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`)
  process.exit(2)
}
const missing = settings.transport === 'kafka' ? whyNoJvm() : null
if (missing !== null) {
  console.error(`Apache Kafka cannot be started: ${missing}.`)
  process.exit(2)
}
const reaper = startReaper()
const report = createReport(settings)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    report.stopped()
    reaper.reap()
    process.exit(1)
  })
const kept = await runChaos(settings, report)
await reaper.dismiss()
process.exit(kept ? 0 : 1)
