import { createPool, type PoolClient } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { grouped, table } from './terminal.ts'
import { CliError, text, type VerbInput } from './verb.ts'

interface UnusedIndex {
  index: string
  relation: string
  bytes: string
  scans: string
  last_scan: Date | null
  foreign_key: string | null
  drop_with: string
  bring_back: string
}

export const INDEXES_HELP = [
  'marketplace unused-indexes   lists indexes that no query has used, with what brings each back; drops none',
  '  --since <date>        unused since then; 90 days unless told. Where statistics are younger nobody can know, and it says so',
  '  --drop <name> …       drops those that are named, if they are on the list still: one by one, concurrently, outside of a transaction',
]

/** Lists unused indexes, and drops those that are named. */
export async function unusedIndexes(input: VerbInput): Promise<number> {
  const drops = input.options['drop'] === true
  if (drops && input.words.length === 0) throw new CliError('--drop wants names.', 'For example --drop public.idx_old')
  if (!drops && input.words.length > 0)
    throw new CliError(`${input.words[0]} is not asked for anything.`, 'To drop it: --drop')
  const since = sinceOf(input)
  const pool = createPool({ connectionString: await databaseUrl(input), applicationName: 'platform-events', max: 1 })
  try {
    const client = await pool.connect()
    try {
      return drops ? await drop(client, input, since) : await list(client, input, since)
    } finally {
      client.release()
    }
  } catch (error) {
    if (error instanceof CliError) throw error
    const { code, message, hint } = error as Error & { code?: string; hint?: string }
    if (code === '42883' || code === '3F000')
      throw new CliError(
        'This database lacks the marketplace module.',
        'Run `platform-events marketplace migrate`.',
        error,
      )
    throw new CliError(message, hint, error)
  } finally {
    await pool.end()
  }
}

function sinceOf(input: VerbInput): string | null {
  const since = text(input, 'since')
  if (since === undefined) return null
  if (Number.isNaN(Date.parse(since)))
    throw new CliError(`--since ${since} is no date.`, 'For example --since 2026-01-01')
  return new Date(since).toISOString()
}

const UNUSED = `select * from marketplace_internal.unused_indexes(coalesce($1::timestamptz, now() - interval '90 days'))`

async function list(client: PoolClient, input: VerbInput, since: string | null): Promise<number> {
  const { rows } = await client.query<UnusedIndex>(UNUSED, [since])
  const invalid = await invalidIndexes(client)
  if (input.json) {
    input.context.out(`${JSON.stringify({ unused: rows, invalid })}\n`)
    return 0
  }
  const { out } = input.context
  if (rows.length === 0) out('No index is unused.\n')
  else {
    out(
      table(
        [
          { title: 'index' },
          { title: 'of' },
          { title: 'kB', align: 'right' },
          { title: 'last used' },
          { title: 'serves' },
        ],
        rows.map((row) => [
          row.index,
          row.relation,
          grouped(Math.round(Number(row.bytes) / 1024)),
          row.last_scan?.toISOString().slice(0, 10) ?? (row.scans === '0' ? 'never' : ''),
          row.foreign_key ?? '',
        ]),
      ),
    )
    out('What brings each back:\n')
    for (const row of rows) out(`  ${row.bring_back};\n`)
    out('A replica counts for itself: ask it, too, where queries go there.\n')
  }
  for (const index of invalid)
    out(`INVALID  ${index}: a build or a drop of it did not end. drop index concurrently ${index};\n`)
  return 0
}

async function drop(client: PoolClient, input: VerbInput, since: string | null): Promise<number> {
  // A long transaction would make it wait for ever; whoever wants that sets it in the connection string.
  await client.query(`select set_config('lock_timeout', '5s', false) where current_setting('lock_timeout') = '0'`)
  const results: { index: string; dropped: boolean; bring_back?: string; why?: string }[] = []
  for (const name of input.words) {
    const result = { index: name, ...(await dropOne(client, name, since)) }
    results.push(result)
    if (!input.json && result.dropped)
      input.context.out(`Dropped ${name}. What brings it back:\n  ${result.bring_back};\n`)
    if (!input.json && !result.dropped) input.context.err(`NOT DROPPED  ${name}: ${result.why}\n`)
  }
  if (input.json) input.context.out(`${JSON.stringify(results)}\n`)
  return results.every(({ dropped }) => dropped) ? 0 : 1
}

/** Looks right before it drops, and writes down what brings the index back before it is gone. */
async function dropOne(
  client: PoolClient,
  name: string,
  since: string | null,
): Promise<{ dropped: boolean; bring_back?: string; why?: string }> {
  const id = (await begun(client, name)) ?? (await begin(client, name, since))
  if (id === undefined) return { dropped: false, why: 'it is not among the unused ones (any more)' }
  const { index, bring_back } = id
  try {
    await client.query(`drop index concurrently ${index}`)
  } catch (error) {
    const invalid = (await invalidIndexes(client)).includes(index)
    if (!invalid)
      await client.query('delete from marketplace_internal.dropped_indexes where drop_id = $1', [id.drop_id])
    const left =
      'it is INVALID now: unused by queries, still written by inserts. Drop it again, or: reindex index concurrently'
    return { dropped: false, why: `${(error as Error).message}${invalid ? `; ${left} ${index}` : ''}` }
  }
  await client.query('update marketplace_internal.dropped_indexes set dropped_at = now() where drop_id = $1', [
    id.drop_id,
  ])
  return { dropped: true, bring_back }
}

interface Drop {
  drop_id: string
  index: string
  bring_back: string
}

/** A drop of before that did not end: the index is there, and invalid. */
async function begun(client: PoolClient, name: string): Promise<Drop | undefined> {
  const { rows } = await client.query<Drop>(
    `select d.drop_id, i.indexrelid::regclass::text as index, d.bring_back
     from marketplace_internal.dropped_indexes d join pg_index i on i.indexrelid = to_regclass($1)
     where d.dropped_at is null and not i.indisvalid and to_regclass(d.index) = i.indexrelid
     order by d.drop_id desc limit 1`,
    [name],
  )
  return rows[0]
}

async function begin(client: PoolClient, name: string, since: string | null): Promise<Drop | undefined> {
  const { rows } = await client.query<Drop>(
    `insert into marketplace_internal.dropped_indexes (index, relation, bytes, bring_back)
     select u.index, u.relation, u.bytes, u.bring_back from (${UNUSED}) u where to_regclass(u.index) = to_regclass($2)
     returning drop_id, index, bring_back`,
    [since, name],
  )
  return rows[0]
}

async function invalidIndexes(client: PoolClient): Promise<string[]> {
  await client.query(`set search_path = ''`)
  const { rows } = await client.query<{ index: string }>(
    `select i.indexrelid::regclass::text as index from pg_index i join pg_class c on c.oid = i.indexrelid
     where not i.indisvalid and c.relkind = 'i' and pg_has_role(c.relowner, 'USAGE') order by 1`,
  )
  return rows.map(({ index }) => index)
}
