import { parseArgs } from 'node:util'
import { countsVerb } from './counts.ts'
import { deadVerb } from './dead.ts'
import { doctorVerb } from './doctor/doctor.ts'
import { forgetVerb } from './forget.ts'
import { funnelVerb } from './funnel.ts'
import { importVerb } from './import.ts'
import { ledgerVerb } from './ledger.ts'
import { lossesVerb } from './losses.ts'
import { marketplaceVerb } from './marketplace.ts'
import { migrateVerb } from './migrate.ts'
import { retentionVerb } from './retention.ts'
import { sqlVerb } from './sql.ts'
import { tailVerb } from './tail.ts'
import { typesVerb } from './types/types.ts'
import { type CliContext, CliError, type Verb } from './verb.ts'

const VERBS: Record<string, Verb> = {
  counts: countsVerb,
  funnel: funnelVerb,
  tail: tailVerb,
  ledger: ledgerVerb,
  losses: lossesVerb,
  dead: deadVerb,
  sql: sqlVerb,
  migrate: migrateVerb,
  doctor: doctorVerb,
  types: typesVerb,
  marketplace: marketplaceVerb,
  import: importVerb,
  retention: retentionVerb,
  forget: forgetVerb,
}

/**
 * Runs one command line.
 *
 * @param args the words after the program's name
 * @returns the exit code: 0 done, 1 not done, 2 not understood
 */
export async function runCli(args: string[], context: CliContext): Promise<number> {
  const [name = 'help', ...rest] = args
  if (['help', '--help', '-h'].includes(name)) return help(rest[0], context)
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb === undefined) return misunderstood(`there is no verb "${name}"`, 'platform-events help', context)

  let parsed: ReturnType<typeof parseArgs>
  try {
    const common = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
    parsed = parseArgs({ args: rest, options: { ...verb.options, ...common }, allowPositionals: true })
  } catch (error) {
    return misunderstood((error as Error).message, `platform-events help ${name}`, context)
  }
  if (parsed.values['help'] === true) return help(name, context)
  try {
    const options = parsed.values as Record<string, string | boolean | undefined>
    return await verb.run({ context, words: parsed.positionals, options, json: options['json'] === true })
  } catch (error) {
    if (context.signal.aborted) return 130
    if (!(error instanceof CliError)) throw error
    context.err(`platform-events: ${error.message}\n${error.help === undefined ? '' : `${error.help}\n`}`)
    return 1
  }
}

function help(name: string | undefined, context: CliContext): number {
  const verb = name !== undefined && Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb !== undefined) {
    const lines = [`platform-events ${name} ${verb.usage}`, '', verb.summary, '', ...verb.help, JSON_HELP]
    context.out(`${lines.join('\n')}\n`)
    return 0
  }
  const verbs = Object.entries(VERBS).map(([word, { usage, summary }]) => ({ left: `${word} ${usage}`, summary }))
  const width = Math.max(...verbs.map(({ left }) => left.length))
  const lines = [
    'platform-events <verb> [options]',
    '',
    ...verbs.map(({ left, summary }) => `  ${left.padEnd(width)}  ${summary}`),
    `  ${'help [verb]'.padEnd(width)}  This, or a verb's options.`,
    '',
    'Where to ask comes from DATA_DIR/access.json (written by npm start), or from --url and --token, or PLATFORM_EVENTS_URL',
    'and PLATFORM_EVENTS_TOKEN; the database from DATABASE_URL, else from the same file.',
    JSON_HELP,
  ]
  context.out(`${lines.join('\n')}\n`)
  return 0
}

const JSON_HELP = '--json          print JSON and nothing else'

function misunderstood(what: string, ask: string, context: CliContext): number {
  context.err(`platform-events: ${what}\nTry: npx ${ask}\n`)
  return 2
}
