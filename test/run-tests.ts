// What `npm test` runs: every tier that this machine can run, and at the end what ran, what did not, and why.
import { startVitest } from 'vitest/node'

process.stdout.write(
  'Running all tests: unit, Postgres 15 and 18 (embedded), Kafka (a real broker), a real Chromium, whole processes, the attacker.\n' +
    'About 14 minutes on 2 cores. A tier whose part is missing here is skipped and says why; with CI=true that is a failure.\n\n',
)
const vitest = await startVitest('test', process.argv.slice(2), { run: true, watch: false })
const count = { passed: 0, failed: 0, skipped: 0 }
const reasons = new Map<string, number>()
for (const module of vitest.state.getTestModules()) {
  if (module.state() === 'failed' && module.children.size === 0) count.failed++
  for (const test of module.children.allTests()) {
    const result = test.result()
    if (result.state === 'pending') continue
    count[result.state]++
    if (result.state === 'skipped') {
      const reason = ('note' in result && result.note) || 'no reason given'
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
}
const faults = vitest.state.getUnhandledErrors().length
await vitest.close()

for (const [reason, tests] of reasons) process.stdout.write(`skipped ${tests}: ${reason}\n`)
if (faults > 0) process.stdout.write(`${faults} errors outside of any test, listed above\n`)
process.stdout.write(`${count.passed} passed, ${count.failed + faults} failed, ${count.skipped} skipped\n`)
const skippedInCi = process.env['CI'] === 'true' && count.skipped > 0
if (skippedInCi) process.stdout.write('CI=true: a skipped test is a failure.\n')
process.exit(count.failed + faults > 0 || count.passed === 0 || skippedInCi ? 1 : 0)
