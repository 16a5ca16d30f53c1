import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let user: string

beforeAll(async () => {
  database = await createMarketplaceDatabase()
  const { rows } = await database.pool.query('insert into auth.users default values returning id')
  user = rows[0].id
  for (const days of [0, 1, 5, 29, 35, 60])
    await database.pool.query(`select events_internal.create_day((now() at time zone 'UTC')::date - $1::int)`, [days])
})
afterAll(() => database.drop())

const view = async (name: string, rest = '') =>
  (await database.pool.query(`select * from marketplace_internal.${name} ${rest}`)).rows

it('counts conversations, their messages and their length', async () => {
  const { pool } = database
  const conversation = async (minutesAgo: number, messages: [minutesAgo: number, content: string][]) => {
    const { rows } = await pool.query(
      `insert into amara_conversations (user_id, created_at, last_message_at)
       values ($1, date_trunc('hour', now()) - $2 * interval '1 minute', date_trunc('hour', now())) returning id`,
      [user, minutesAgo],
    )
    for (const [ago, content] of messages)
      await pool.query(
        `insert into amara_messages (conversation_id, role, content, created_at) values ($1, 'user', $2, now() - $3 * interval '1 minute')`,
        [rows[0].id, content, ago],
      )
  }
  await conversation(10, [
    [10, 'hola'],
    [8, 'buenas'],
    [4, ''],
  ])
  await conversation(20, [[5, 'x'.repeat(20)]])
  await conversation(90, [])
  await conversation(60 * 24 * 8, []) // begun before what is looked at
  expect(
    (await view('conversations_per_hour', 'order by hour desc')).map(({ conversations }) => conversations),
  ).toEqual(['2', '1'])
  expect(await view('messages_per_conversation')).toEqual([
    { conversations: '4', messages: '4', average: '1.00', median: 0.5, most: '3' },
  ])
  expect(await view('conversation_length')).toEqual([
    { characters_average: '7.5', characters_median: 5, minutes_average: '1.50', minutes_median: '0.00' },
  ])
})

it('gives the percent of chat requests that failed, by hour, each attempt by itself; who leaves is no failure', async () => {
  for (const [state, attempt, failures] of [
    ['answered', 2, 1],
    ['failed', 3, 2],
    ['failed', 1, 0],
    ['answered', 1, 0],
    ['pending', 1, 0],
  ])
    await database.pool.query(
      `insert into marketplace_internal.chat_requests (user_id, idempotency_key, body_hash, state, attempt, failures, created_at)
       values ($1, gen_random_uuid()::text, '', $2, $3, $4, date_trunc('hour', now()))`,
      [user, state, attempt, failures],
    )
  expect(await view('chat_errors_per_hour')).toMatchObject([{ requests: '8', failed: '3', error_rate: '37.50' }])
})

it('counts guest sessions and who became users, also of those removed since', async () => {
  const { pool } = database
  await pool.query(
    `insert into guest_sessions (session_token, email, full_name, metadata, created_at, expires_at)
     select gen_random_uuid()::text, 'g@example.com', 'G', case when n <= 2 then '{"converted_to_user_id": "x"}' else '{}' end::jsonb,
       date_trunc('hour', now()) - interval '30 hours', now() - case when n in (1, 5) then -interval '1 hour' else interval '6 hours' end
     from generate_series(1, 5) n`,
  )
  await pool.query(
    `insert into guest_sessions (id, session_token, email, full_name, expires_at)
     values ('00000000-0000-4000-8000-000000000000', gen_random_uuid()::text, 'forgotten@example.invalid', 'Forgotten', '-infinity')`,
  )
  const expected = [{ sessions: '5', converted: '2', conversion_rate: '40.00' }]
  expect(await view('guest_sessions_per_hour')).toMatchObject(expected)
  await pool.query('select cleanup_expired_guest_sessions()')
  expect((await pool.query('select from guest_sessions where isfinite(expires_at)')).rowCount).toBe(2)
  expect(await view('guest_sessions_per_hour')).toMatchObject(expected)
  expect(await view('guest_session_hours')).toMatchObject([{ sessions: '3', converted: '1' }])
  await pool.query(`delete from guest_sessions where isfinite(expires_at)`)
  expect(await view('guest_sessions_per_hour')).toMatchObject(expected)
})

it('traces bookings to searches of the same person in the 30 days before, by indexes alone', async () => {
  const { pool } = database
  const searched = (who: { user?: string; session?: string }, days: number, type = 'SearchStarted') =>
    pool.query(
      `insert into platform_events (event_type, user_id, session_id, created_at) values ($1, $2, $3, now() - $4 * interval '1 day' - interval '1 minute')`,
      [type, who.user, who.session, days],
    )
  const person = async () =>
    (await pool.query('insert into auth.users default values returning id')).rows[0].id as string
  const book = async (customer: string | null, guest: string | null = null) =>
    await pool.query(
      'insert into bookings (customer_id, guest_session_id, professional_id) values ($1, $2, gen_random_uuid())',
      [customer, guest],
    )
  const guest = async (metadata: object) =>
    (
      await pool.query(
        `insert into guest_sessions (session_token, email, full_name, metadata) values (gen_random_uuid()::text, 'a@example.com', 'A', $1) returning id`,
        [metadata],
      )
    ).rows[0].id as string

  const before = await person() // searched as a guest, then signed in: the session is theirs
  await searched({ session: 'first tab' }, 5)
  await searched({ user: before, session: 'first tab' }, 1, 'ProfessionalViewed')
  await book(before)
  const signedIn = await person()
  await searched({ user: signedIn }, 29)
  await book(signedIn)
  const tracked = await guest({ analytics_session_id: 'guest tab' })
  await searched({ session: 'guest tab' }, 1)
  await book(null, tracked)
  const untracked = await guest({})
  await searched({ session: untracked }, 0)
  await book(null, untracked)

  const late = await person() // 35 days before, and after the booking
  await searched({ user: late }, 35)
  await book(late)
  await pool.query(`insert into platform_events (event_type, user_id) values ('SearchStarted', $1)`, [late])
  const sharing = await person() // a session that is theirs, in which somebody else searched
  await searched({ user: sharing, session: 'shared' }, 5, 'ProfessionalViewed')
  await searched({ user: signedIn, session: 'shared' }, 1)
  await book(sharing)
  await book(await person()) // only looked
  expect(await view('booking_attribution')).toMatchObject([{ bookings: '7', traced: '4', share: '57.14' }])

  const { rows } = await pool.query(
    'explain (analyze, costs off, timing off) select * from marketplace_internal.booking_attribution',
  )
  const plan = rows.map((row) => row['QUERY PLAN'] as string)
  expect(plan.filter((line) => /Seq Scan on platform_events/.test(line))).toEqual([])
  expect(plan.some((line) => /Index.* Scan using platform_events_\d+_session_id_created_at_idx/.test(line))).toBe(true)
  expect(plan.some((line) => /Index.* Scan using platform_events_\d+_user_id_created_at_idx/.test(line))).toBe(true)
  expect(plan.some((line) => line.includes('Subplans Removed'))).toBe(true)
})

it('tells how jobs went', async () => {
  await database.pool.query(
    `insert into marketplace_internal.job_runs (job, started_at, finished_at, removed, error)
     values ('cleanup_chat_requests', now() - interval '3 hours', now() - interval '3 hours' + interval '2 seconds', 7, null),
       ('cleanup_chat_requests', now() - interval '2 hours', now() - interval '2 hours', null, 'no'),
       ('cleanup_chat_requests', now() - interval '100 days', now() - interval '100 days', 1000, null)`,
  )
  expect(await view('job_success', `where job = 'cleanup_chat_requests'`)).toMatchObject([
    {
      runs: '2',
      failed: '1',
      success_rate: '50.00',
      removed: '7',
      seconds_median: '1.000',
      overdue: false,
      last_error: 'no',
    },
  ])
})

it('gives sizes over all partitions, and the use of indexes', async () => {
  const { pool } = database
  await pool.query('analyze platform_events')
  const sizes = await view('table_sizes', `where relation = 'public.platform_events'`)
  const { rows } = await pool.query(
    `select sum(pg_total_relation_size(relid))::text as bytes from pg_partition_tree('platform_events') where isleaf`,
  )
  expect(sizes).toMatchObject([{ bytes: rows[0].bytes }])
  expect(Number(sizes[0].index_bytes)).toBeGreaterThan(0)
  expect(Number(sizes[0].rows_estimate)).toBe(
    (await pool.query<{ n: number }>('select count(*)::int as n from platform_events')).rows[0]!.n,
  )
  const used = await view('index_usage', `where relation = 'public.platform_events'`)
  expect(used.map(({ index }) => index)).toContain('platform_events_session_id_created_at_idx')
  expect(used.every(({ index }) => !/\d{8}/.test(index))).toBe(true)
})

it('times a count as the owner and under row level security, and is the owner again', async () => {
  const { rows } = await database.pool.query(
    `select *, current_user = session_user as is_back from marketplace_internal.row_security_cost('public.amara_messages', $1)`,
    [randomUUID()],
  )
  expect(rows).toMatchObject([{ relation: 'public.amara_messages', rows_seen: '0', rows_as_owner: '4', is_back: true }])
  expect(Number(rows[0].ms)).toBeGreaterThan(0)
  expect((await database.pool.query('select current_user = session_user as is_back')).rows).toEqual([{ is_back: true }])
})

it('is for admins and the service role alone', async () => {
  const client = await database.pool.connect()
  const asked = async (role: string, sub: string) => {
    await client.query('begin')
    try {
      await client.query(`select set_config('request.jwt.claims', $1, true), set_config('role', $2, true)`, [
        JSON.stringify({ sub, role }),
        role,
      ])
      return (await client.query('select get_marketplace_monitoring() as all')).rows[0].all
    } finally {
      await client.query('rollback')
    }
  }
  try {
    await expect(asked('authenticated', user)).rejects.toMatchObject({ code: '42501' })
    await expect(asked('anon', user)).rejects.toMatchObject({ code: '42501' })
    await client.query(
      `insert into profiles (id, role) values ($1, 'admin') on conflict (id) do update set role = 'admin'`,
      [user],
    )
    expect(Object.keys(await asked('authenticated', user)).sort()).toEqual(
      [
        ...[
          'at',
          'booking_attribution',
          'chat_errors_per_hour',
          'conversation_length',
          'conversations_per_hour',
          'guest_sessions_per_hour',
        ],
        ...['index_usage', 'jobs', 'messages_per_conversation', 'query_times', 'table_sizes', 'unsent_events'],
      ].sort(),
    )
    expect(await asked('service_role', user)).toMatchObject({ messages_per_conversation: { messages: 4 } })
  } finally {
    client.release()
  }
})
