// What `npm run oracle` runs: every way in which the product computes an answer, held against brute force on random data sets.
import { parseArgs } from 'node:util'
import { createPool, migrate } from '@platform-events/postgres'
import { startTestServer } from '../support/embedded-test-server.ts'
import { ALL_FORMS, type AnyForm, compareForm, type Found, storeWorld } from './compare.ts'
import { makeWorld } from './data-sets.ts'
import { startService } from './service.ts'
import { printed, smallest } from './smallest.ts'

const USAGE = `npm run oracle -- [--sets 1000] [--seed N] [--form ${ALL_FORMS.join('|')}] [--of sql|api] [--today YYYY-MM-DD]
Data sets per form, compared 50 at a time; a difference ends its form and is printed as the smallest rows that still have it.`

const SETS_AT_ONCE = 50

const { sets, seed, forms, of, today } = settings()
const server = await startTestServer()
const pool = createPool({ connectionString: server.connectionString, applicationName: 'platform-events oracle' })
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void server.stop().then(() => process.exit(1)))
await migrate(server.connectionString)
const service = await startService(pool)
const tallies = new Map(forms.map((form) => [form, { sets: 0, ms: 0, found: null as Found | null }]))
try {
  console.log(`seed ${seed}, today ${today}`)
  for (let round = 0; round * SETS_AT_ONCE < sets; round++) {
    const world = makeWorld(seed + round, SETS_AT_ONCE, Date.parse(today) * 1000)
    await storeWorld(service, world)
    for (const [form, tally] of tallies) if (!tally.found) await compare(form, tally, world)
  }
  for (const [form, { found }] of tallies) if (found) await print(form, found)
} finally {
  await service.close()
  await pool.end()
  await server.stop()
}
console.log('form            sets  differences  seconds')
for (const [form, { sets, found, ms }] of tallies)
  console.log(
    `${form.padEnd(12)} ${String(sets).padStart(7)} ${String(found ? 1 : 0).padStart(12)} ${(ms / 1000).toFixed(1).padStart(8)}`,
  )
console.log(`seed ${seed}, today ${today}`)
process.exit([...tallies.values()].some(({ found }) => found) ? 1 : 0)

async function compare(
  form: AnyForm,
  tally: { sets: number; ms: number; found: Found | null },
  world: ReturnType<typeof makeWorld>,
): Promise<void> {
  const begun = performance.now()
  tally.found = await compareForm(service, world, form, of)
  if (tally.found)
    console.log(`${form} differs in world ${world.seed}, ${tally.found.question.name} ${tally.found.difference}`)
  tally.sets += SETS_AT_ONCE
  tally.ms += performance.now() - begun
}

async function print(form: AnyForm, found: Found): Promise<void> {
  console.log(`\n-- ${form}\n${printed(await smallest(service, found))}\n`)
}

function settings() {
  try {
    const { values } = parseArgs({
      args: process.argv.slice(2).filter((argument) => argument !== '--'),
      options: {
        sets: { type: 'string', default: '1000' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
        form: { type: 'string', multiple: true },
        of: { type: 'string', default: 'both' },
        today: { type: 'string', default: new Date().toISOString().slice(0, 10) },
      },
    })
    const forms = (values.form ?? ALL_FORMS) as AnyForm[]
    const unknown = forms.find((form) => !ALL_FORMS.includes(form))
    if (unknown) throw new Error(`there is no form ${unknown}`)
    if (!/^\d+$/.test(values.sets) || !/^\d+$/.test(values.seed)) throw new Error('--sets and --seed are whole numbers')
    const of = (['sql', 'api', 'both'] as const).find((one) => one === values.of)
    if (!of) throw new Error('--of is sql, api or both')
    return { sets: Number(values.sets), seed: Number(values.seed), forms, of, today: values.today }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}
