import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type Pool } from '@platform-events/postgres'
import { nothing, type Perform, seconds } from './performed.ts'

const RETRY_MS = 300

/** Trouble that a statement meets: said by a trigger, since a full disk is nothing to be had cheaply. */
const DISK_FULL = `
  set lock_timeout = '2s';
  create or replace function events_internal.chaos_disk_full() returns trigger language plpgsql as $$
  begin raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;
  create or replace trigger chaos_disk_full before insert on public.platform_events
    for each statement execute function events_internal.chaos_disk_full()`
const DISK_FREE = `set lock_timeout = '2s'; drop function if exists events_internal.chaos_disk_full() cascade`

const END_SESSIONS = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where backend_type = 'client backend' and application_name not like 'chaos%'`

export const postgresFaults = {
  postgres_immediate: ({ lastsMs }, { system: { postgres, links } }) => ({
    says: `Postgres: SIGQUIT (-m immediate), crash recovery ${seconds(links.database ? lastsMs : 0)} later`,
    over: postgres.crash(lastsMs),
  }),
  postgres_frozen: ({ lastsMs, target }, { system }) => ({
    says: `Postgres: SIGSTOP of ${target < 0.3 ? 'the postmaster' : 'all its processes'} for ${seconds(lastsMs)}`,
    over: system.postgres.freeze(lastsMs, target >= 0.3),
  }),
  postgres_read_only: ({ lastsMs }, { system: { postgres } }) => ({
    says: `Postgres: read-only for ${seconds(lastsMs)}, as a server that was demoted`,
    over: setting(postgres.pool, 'default_transaction_read_only', 'on', lastsMs),
  }),
  postgres_statement_timeout: ({ lastsMs }, { system: { postgres } }) => ({
    says: `Postgres: statement_timeout 5 ms for ${seconds(lastsMs)}`,
    over: setting(postgres.pool, 'statement_timeout', '5ms', lastsMs),
  }),
  postgres_sessions_ended: (_, { system: { postgres } }) => ({
    says: 'Postgres: pg_terminate_backend on all sessions',
    over: untilDone(postgres.pool, END_SESSIONS).then(nothing),
  }),
  postgres_no_slots: ({ lastsMs }, { system: { postgres } }) => ({
    says: `Postgres: all connections taken for ${seconds(lastsMs)}`,
    over: takeAllConnections(postgres.url, postgres.pool, lastsMs),
  }),
  postgres_disk_full: ({ lastsMs }, { system: { postgres } }) => ({
    says: `Postgres: disk full (53100) for ${seconds(lastsMs)}`,
    over: between(postgres.pool, DISK_FULL, lastsMs, DISK_FREE),
  }),
  postgres_locked: ({ lastsMs }, { system: { postgres } }) => ({
    says: `Postgres: somebody holds platform_events locked for ${seconds(lastsMs)}`,
    over: untilDone(
      postgres.pool,
      `do $$ begin
         set local lock_timeout = '2s';
         lock table public.platform_events in access exclusive mode;
         perform pg_sleep(${lastsMs / 1000});
       end $$`,
      1,
    ),
  }),
} satisfies Record<string, Perform>

/** For all others but the attacker, whose connections say otherwise; they are ended, so that they notice. */
function setting(pool: Pool, name: string, value: string, ms: number): Promise<undefined> {
  return between(
    pool,
    `alter system set ${name} = '${value}'`,
    ms,
    `alter system reset ${name}`,
    `select pg_reload_conf(); ${END_SESSIONS}`,
  )
}

async function between(pool: Pool, begin: string, ms: number, end: string, each = 'select'): Promise<undefined> {
  await untilDone(pool, begin)
  await untilDone(pool, each)
  await sleep(ms)
  await untilDone(pool, end)
  await untilDone(pool, each)
}

/** Other faults may be in the way: then again. @returns why not, after so many attempts */
async function untilDone(pool: Pool, sql: string, attempts = Number.POSITIVE_INFINITY): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await pool.query(sql)
      return undefined
    } catch (error) {
      if (attempt >= attempts) return `passed over: ${(error as Error).message}`
      await sleep(RETRY_MS)
    }
  }
}

async function takeAllConnections(url: string, pool: Pool, ms: number): Promise<string> {
  const greedy = createPool({ connectionString: url, applicationName: 'chaos takes all', max: 200 })
  const deadline = Date.now() + ms
  let held: { release(error: boolean): void }[] = []
  let most = 0
  while (Date.now() < deadline) {
    try {
      held.push(await greedy.connect())
      most = Math.max(most, held.length)
    } catch {
      await pool.query(END_SESSIONS).catch(() => undefined)
      await sleep(50)
    }
  }
  for (const client of held) client.release(true)
  held = []
  await greedy.end()
  return `${most} connections held`
}
