import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase } from '../../../../test/support/marketplace.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { runCli } from '../run.ts'

let database: TestDatabase
let core: TestDatabase
let folder: string
beforeAll(async () => {
  database = await createMarketplaceDatabase()
  core = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'doctor-'))
})
afterAll(async () => {
  await Promise.all([database?.drop(), core?.drop(), rm(folder, { recursive: true })])
})

async function doctor(url: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  const code = await runCli(['doctor', ...args], {
    env: { DATABASE_URL: url },
    out: (text) => {
      stdout += text
    },
    err: (text) => {
      stderr += text
    },
    columns: 80,
    signal: new AbortController().signal,
  })
  return { code, stdout, stderr }
}

it('finds nothing wrong with a database as we make it, with the marketplace or without', async () => {
  const looked = /^Looked at \d+ tables and functions, \d+ tables and views in public, .*: all is well\.\n$/
  expect(await doctor(core.connectionString)).toEqual({ code: 0, stdout: expect.stringMatching(looked), stderr: '' })
  expect(await doctor(database.connectionString)).toEqual({
    code: 0,
    stdout: expect.stringMatching(looked),
    stderr: '',
  })
})

// Each with the words of the finding, and of what mends it.
const FAULTS: { fault: string; level: 'error' | 'warning'; what: RegExp; mend: RegExp }[] = [
  {
    fault: 'drop table public.amara_messages cascade',
    level: 'error',
    what: /table public.amara_messages is missing/,
    mend: /marketplace migrate/,
  },
  {
    fault: 'drop function public.get_user_referral_credits(uuid)',
    level: 'error',
    what: /get_user_referral_credits\(\) is missing/,
    mend: /marketplace migrate/,
  },
  {
    fault: 'alter table public.bookings drop column guest_session_id cascade',
    level: 'error',
    what: /column public.bookings.guest_session_id/,
    mend: /marketplace migrate/,
  },
  {
    fault: `delete from events_internal.schema_migrations where version = 40`,
    level: 'error',
    what: /not applied: 0040_/,
    mend: /platform-events migrate/,
  },
  {
    fault: `delete from marketplace_internal.schema_migrations where version = 5`,
    level: 'error',
    what: /not applied: 0005_/,
    mend: /marketplace migrate/,
  },
  {
    fault: 'create table public.reviews (id int)',
    level: 'warning',
    what: /deprecated table public.reviews is still there/,
    mend: /marketplace migrate/,
  },
  {
    fault: 'create table public.open (id int); grant select (id) on public.open to anon',
    level: 'error',
    what: /off on public.open, which anon may/,
    mend: /alter table public.open enable row level security/,
  },
  {
    fault: 'create table public.cut (id int); grant truncate on public.cut to authenticated',
    level: 'warning',
    what: /authenticated may truncate public.cut/,
    mend: /revoke truncate on public.cut from authenticated/,
  },
  {
    fault:
      'create table public.mute (id int); alter table public.mute enable row level security; grant select on public.mute to public',
    level: 'warning',
    what: /public.mute has row level security and no policy: anon, authenticated/,
    mend: /revoke all on public.mute/,
  },
  {
    fault: 'create view public.peep as select * from public.bookings; grant select on public.peep to anon',
    level: 'warning',
    what: /view public.peep shows anon/,
    mend: /security_invoker/,
  },
  {
    fault: 'create materialized view public.kept as select 1 as a; grant select on public.kept to anon',
    level: 'warning',
    what: /materialized view public.kept shows anon/,
    mend: /revoke all on public.kept/,
  },
  {
    fault:
      'create foreign data wrapper afar; create server afar foreign data wrapper afar; create foreign table public.afar (a int) server afar; grant select on public.afar to anon',
    level: 'warning',
    what: /foreign table public.afar shows anon/,
    mend: /revoke all on public.afar/,
  },
  {
    fault:
      'create function public.all_of_it(n int) returns int language sql security definer as $$ select n $$; revoke execute on function public.all_of_it from public; grant execute on function public.all_of_it to anon',
    level: 'warning',
    what: /function public.all_of_it\(n integer\) is SECURITY DEFINER, and anon may call it/,
    mend: /revoke execute on function public.all_of_it\(n integer\) from public, anon/,
  },
  {
    fault: 'create function public.f() returns void language plpgsql as $$ begin delete from public.gone; end $$',
    level: 'error',
    what: /function f\(\) names public.gone/,
    mend: /mend the function/,
  },
  {
    fault: 'create table public.addresses (user_id uuid)',
    level: 'error',
    what: /public.addresses looks personal \(.*user_id/,
    mend: /insert into marketplace_internal.personal_data/,
  },
  {
    fault: 'alter table public.payments rename booking_id to order_id',
    level: 'error',
    what: /public.payments is registered as personal, and none of its conditions/,
    mend: /set export_where = .* where relation = 'public.payments'/,
  },
  {
    fault: 'alter table public.booking_reviews add photo text',
    level: 'error',
    what: /public.booking_reviews keeps columns .*: photo$/,
    mend: /'\{photo = null\}' where relation = 'public.booking_reviews'/,
  },
  {
    fault: `update marketplace_internal.jobs set since = now() - interval '1 year'`,
    level: 'error',
    what: /job cleanup_expired_guest_sessions is overdue/,
    mend: /run_job\('cleanup_expired/,
  },
]

it.each(['error', 'warning'] as const)(
  'finds each %s, with what mends it, and says so by its exit code',
  async (level) => {
    const broken = await createMarketplaceDatabase()
    try {
      const faults = FAULTS.filter((fault) => fault.level === level)
      for (const { fault } of faults) await broken.pool.query(fault)
      const { code, stdout } = await doctor(broken.connectionString, '--json')
      const found: { level: string; what: string }[] = JSON.parse(stdout).findings
      for (const { fault, what, mend } of faults)
        expect(found, fault).toContainEqual({
          level,
          what: expect.stringMatching(what),
          mend: expect.stringMatching(mend),
        })
      expect(code).toBe(level === 'error' ? 1 : 0)
    } finally {
      await broken.drop()
    }
  },
)

it('finds what code refers to and the database lacks', async () => {
  await mkdir(join(folder, 'src', 'node_modules'), { recursive: true })
  await writeFile(
    join(folder, 'src', 'page.tsx'),
    `supabase\n  .from('bookings')\nsupabase.from('favourites')\nsupabase.rpc('nowhere', {})\nsupabase.from('guest_sessions')`,
  )
  await writeFile(join(folder, 'src', 'node_modules', 'x.js'), `supabase.from('theirs')`)
  const { code, stdout } = await doctor(database.connectionString, '--code', folder)
  expect(code).toBe(1)
  expect(stdout).toContain(
    `ERROR    code refers to the table public.favourites, which does not exist: ${join('src', 'page.tsx')}:3\n`,
  )
  expect(stdout).toContain('function public.nowhere(), which does not exist')
  expect(stdout).toMatch(/1 source files, 4 calls of supabase-js: 2 errors, 0 warnings\.\n$/)
  const alone = await doctor(core.connectionString, '--code', folder)
  expect(alone.stdout).toMatch(
    /table public.guest_sessions, which does not exist.*\n +npx platform-events marketplace migrate/,
  )
  expect(await doctor(core.connectionString, '--code', join(folder, 'no'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is no folder'),
  })
})
