// What `npm test` runs: every tier that this machine can run, and a last line that says what ran and what did not.
import { startVitest } from 'vitest/node'

process.stdout.write(
  'Running all tests: unit, Postgres 15 and 18 (embedded), Kafka (a real broker), a real Chromium, whole processes.\n' +
    'About 5 minutes on 2 cores. A tier whose part is missing here is skipped and says why; with CI=true that is a failure.\n\n',
)
const vitest = await startVitest('test', process.argv.slice(2), { run: true, watch: false })
await vitest.close()
