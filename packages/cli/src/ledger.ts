import { API_HELP, apiOptions, databaseUrl, logSettings } from './access.ts'
import { askApi } from './api.ts'
import { formatVerification } from './ledger-report.ts'
import { grouped, table } from './terminal.ts'
import { CliError, text, type Verb, type VerbInput } from './verb.ts'

export const ledgerVerb: Verb = {
  usage: '[--from] [--to] [--verify]',
  summary: 'What came in, by day and source, and what became of it; --verify recounts it from the rows and the log.',
  options: { ...apiOptions, from: { type: 'string' }, to: { type: 'string' }, verify: { type: 'boolean' } },
  help: [
    '--from <day>    UTC day of receipt (2026-11-24), or so long ago: 7d; 6 days ago unless told',
    '--to <day>      the same, inclusive; today unless told',
    '--verify        recount the raw rows, and read in the log what is in flight; exits with 1 where the books do not balance',
    '                (asks DATABASE_URL, else the database of access.json, and the log of KAFKA_BROKERS, KAFKA_TOPIC, else of DATA_DIR)',
    ...API_HELP,
  ],
  async run(input) {
    return input.options['verify'] === true ? await verify(input) : await show(input)
  },
}

const DAY_MS = 86_400_000

const ACCOUNTS = [
  'received',
  'rejected',
  'accepted',
  'stored',
  'duplicate',
  'dead_lettered',
  'quarantined',
  'in_flight',
  'missing',
  'resent',
  'deleted',
] as const

type Accounts = Record<(typeof ACCOUNTS)[number], number>

/** What this reads of GET /v1/ledger. */
interface LedgerAnswer {
  ledger: (Accounts & { day: string; source_id: number; source: string | null })[]
  totals: Accounts
  identities_hold: boolean
  spools: { host: string; events: number; bytes: number; reported_at: string }[]
  missing_as_of: string | null
  from: string
  to: string
}

async function show(input: VerbInput): Promise<number> {
  const answer = await askApi(input, `/v1/ledger?${new URLSearchParams(daysOf(input))}`)
  const body = (await answer.json()) as LedgerAnswer
  if (input.json) input.context.out(`${JSON.stringify(body)}\n`)
  else input.context.out(format(body))
  return 0
}

async function verify(input: VerbInput): Promise<number> {
  const { from = dayOf(Date.now() - 6 * DAY_MS), to = dayOf(Date.now()) } = daysOf(input)
  for (const day of [from, to])
    if (!isDay(day)) throw new CliError(`"${day}" is no day.`, 'A day is such as 2026-11-24, or 7d: so long ago.')
  const { context } = input
  // Only here, because it brings the libraries of Kafka and LMDB with it.
  const { verifyLedger } = await import('./ledger-verify.ts')
  const verification = await verifyLedger({
    databaseUrl: await databaseUrl(input),
    log: logSettings(context.env),
    from,
    to,
    signal: context.signal,
  })
  if (input.json) context.out(`${JSON.stringify(verification)}\n`)
  else context.out(formatVerification(verification))
  return verification.balanced && verification.open_losses === 0 ? 0 : 1
}

/** What is no day the query side says itself. */
function daysOf(input: VerbInput): { from?: string; to?: string } {
  const days: { from?: string; to?: string } = {}
  for (const name of ['from', 'to'] as const) {
    const given = text(input, name)
    const ago = /^(\d{1,4})d$/.exec(given ?? '')
    if (given !== undefined) days[name] = ago === null ? given : dayOf(Date.now() - Number(ago[1]) * DAY_MS)
  }
  return days
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) && dayOf(Date.parse(text)) === text
}

function format({ ledger, totals, identities_hold, spools, missing_as_of, from, to }: LedgerAnswer): string {
  if (ledger.length === 0) return `Nothing was received from ${from} to ${to}.\n`
  const cells = (accounts: Accounts): string[] => ACCOUNTS.map((account) => grouped(accounts[account]))
  const columns = [
    { title: 'day (UTC)' },
    { title: 'source' },
    ...ACCOUNTS.map((title) => ({ title, align: 'right' as const })),
  ]
  const rows = ledger.map((row) => [row.day, row.source ?? `source ${row.source_id}`, ...cells(row)])
  const lines = [
    identities_hold
      ? 'The identities hold: received = accepted + rejected,'
      : 'The identities do NOT hold, something is settled more often than accepted: received = accepted + rejected,',
    'accepted = stored + duplicate + dead_lettered + quarantined + in_flight.',
    `${grouped(totals.in_flight)} in flight, between the answer 202 and the table. ${missing(totals.missing, missing_as_of)}`,
    ...spools
      .filter(({ events }) => events > 0)
      .map(({ host, events, reported_at }) => `Spool of ${host}: ${grouped(events)} events, as of ${reported_at}.`),
  ]
  return `${table(columns, [...rows, ['all', '', ...cells(totals)]])}\n${lines.join('\n')}\n`
}

function missing(count: number, asOf: string | null): string {
  if (asOf === null) return 'What trackers numbered and never came was not counted yet.'
  return `${grouped(count)} missing, numbered by trackers and not seen, as of ${asOf}.`
}
