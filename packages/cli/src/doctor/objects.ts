import { type Pool, pendingMigrations } from '@platform-events/postgres'
import {
  CORE_FUNCTIONS,
  CORE_TABLES,
  DEPRECATED,
  MARKETPLACE_FUNCTIONS,
  MARKETPLACE_TABLES,
  makes,
  PLATFORM_TABLES,
} from './expected.ts'
import type { Diagnosis, Finding, Names } from './finding.ts'

/** Whether the database is migrated, and has what this product and the platform's code refer to. */
export async function checkObjects(pool: Pool, names: Names): Promise<Diagnosis> {
  const findings: Finding[] = []
  const core = await pendingMigrations(pool, 'core')
  const marketplace = await pendingMigrations(pool, 'marketplace')
  if (core === undefined)
    findings.push(error('the analytics core is not in this database', 'npx platform-events migrate'))
  else if (core.length > 0) findings.push(error(`not applied: ${core.join(', ')}`, 'npx platform-events migrate'))
  // 0900 and on take away what the platform had: that wants somebody's word.
  const due = marketplace?.filter((name) => name < '0900') ?? []
  if (due.length > 0) findings.push(error(`not applied: ${due.join(', ')}`, 'npx platform-events marketplace migrate'))

  // Analytics alone is an installation, too; a platform with bookings is what the module is for.
  const wantsMarketplace = marketplace !== undefined || names.relations.has('public.bookings')
  const tables = [...CORE_TABLES, ...(wantsMarketplace ? [...MARKETPLACE_TABLES, ...PLATFORM_TABLES] : [])]
  const functions = [...CORE_FUNCTIONS, ...(wantsMarketplace ? MARKETPLACE_FUNCTIONS : [])]
  for (const name of tables)
    if (!names.relations.has(`public.${name}`))
      findings.push(error(`the table public.${name} is missing`, mendOf(name)))
  for (const name of functions)
    if (!names.functions.has(`public.${name}`))
      findings.push(error(`the function public.${name}() is missing`, mendOf(name)))
  if (names.relations.has('public.bookings')) findings.push(...(await bookingColumns(pool)))

  const left = [...DEPRECATED].filter((name) => names.relations.has(`public.${name}`))
  const isTable = await tablesAmong(pool, left)
  for (const name of left.filter((table) => isTable.has(table))) {
    findings.push({
      level: 'warning',
      what: `the deprecated table public.${name} is still there`,
      mend: 'npx platform-events marketplace migrate (it refuses, and says why, where the table is needed)',
    })
  }
  return { looked: { 'tables and functions': tables.length + functions.length + DEPRECATED.size }, findings }
}

function error(what: string, mend: string): Finding {
  return { level: 'error', what, mend }
}

function mendOf(name: string): string {
  return (
    makes(name) ??
    'The platform brings it. For development: npx platform-events marketplace migrate --development on a new database'
  )
}

async function bookingColumns(pool: Pool): Promise<Finding[]> {
  const { rows } = await pool.query<{ has: boolean }>(
    `select exists (select from pg_attribute where attrelid = 'public.bookings'::regclass and attname = 'guest_session_id' and not attisdropped) as has`,
  )
  return rows[0]!.has
    ? []
    : [error('the column public.bookings.guest_session_id is missing', 'npx platform-events marketplace migrate')]
}

/** A view of such a name stands in for the table, on purpose. */
async function tablesAmong(pool: Pool, names: string[]): Promise<Set<string>> {
  const { rows } = await pool.query<{ relname: string }>(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname = any ($1)`,
    [names],
  )
  return new Set(rows.map(({ relname }) => relname))
}
