// `npm run bench [name …] [-- options]`: runs the benchmarks, each in a process of its own, and keeps what they measured, with the
// machine's facts, in test/bench/results.json. Ratios within one run count; absolute figures are of the machine and the moment.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What is run where nothing is named; `outage` takes half an hour, and only by its name. */
const BENCHMARKS = ['consumer', 'collector', 'memory', 'spool']
const file = new URL('results.json', import.meta.url)
const given = process.argv.slice(2).filter((argument) => argument !== '--')
const firstOption = given.findIndex((argument) => argument.startsWith('--'))
const named = firstOption === -1 ? given : given.slice(0, firstOption)
const options = given.slice(named.length)
const results = readResults()
for (const name of named.length > 0 ? named : BENCHMARKS) {
  console.log(`${name} …`)
  const script = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
  const run = spawnSync(process.execPath, ['--import', 'tsx', script, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (run.status !== 0) {
    console.error(`${name} failed; its lines above say why. ${run.error?.message ?? ''}`)
    process.exit(1)
  }
  console.log(run.stdout)
  results[name] = { ...JSON.parse(run.stdout), measured_at: new Date().toISOString() }
}
writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
console.log('Written to test/bench/results.json.')

function readResults(): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {}
  }
}
