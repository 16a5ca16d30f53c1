import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { placesThatHold } from '../support/database-text.ts'
import { FAR_APART, startMigrated } from '../support/grounds.ts'
import { ledgerFaults } from '../support/ledger.ts'
import { today } from '../support/retention.ts'
import { readBothWays } from '../support/segment-reader.ts'
import { buildSegments } from '../support/segments.ts'
import { rollupDifferences } from '../support/stored.ts'

/** The platform's own, and the memory of forget_actor, which goes after 15 days. */
const MEMORY = ['auth.users', 'events_internal.deleted_users', 'events_internal.forgotten_sessions']

/** What the consumer would have counted. */
const COUNT_DEAD = `
  select events_internal.count_delivery((received_at at time zone 'UTC')::date, source_id, 1, 0, p_dead => 1)
    from events_internal.dead_letters where dead_letter_id > $1`
const COUNT_QUARANTINED = `
  select events_internal.count_delivery((received_at at time zone 'UTC')::date, 0::smallint, 1, 0, p_quarantined => 1)
    from events_internal.quarantined_events`
/** Made before anybody is forgotten. */
const LETTERS = 5

describe.each(FAR_APART)('forgetting a person on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  const [ana, ben] = [randomUUID(), randomUUID()]
  const stream = randomUUID()
  let minute = 0
  let forgotten: { place: string; action: string; n: string | null }[]

  beforeAll(async () => {
    database = await startMigrated(ground)
    await query('insert into auth.users (id) values ($1), ($2)', [ana, ben])
    await write('ana-secret', null, 'ana-phone', { seq: 0 })
    await write('ana-secret', ana, 'ana-phone', { seq: 1 })
    await write('ana-secret', ana, null, { seq: 2 })
    await write('ana-secret', null, 'shared', {})
    await write('ana-secret', ana, 'shared', {})
    await write('ben-text', ben, 'shared', { seq: 3 })
    await write('ben-text', ben, 'ben-laptop', {})
    await write('guest-text', null, 'guest-tab', {})
    await setAside(line({ user_id: ana, session_id: 'x' }), null)
    await setAside(line({ session_id: 'ana-phone' }), null)
    await setAside(`no JSON "user_id":"${ana.toUpperCase()}" ana-secret`, null)
    await setAside('ana-secret, cut', 'ana-phone')
    await setAside(line({ user_id: ben, session_id: 'shared' }), 'shared')
    await query(
      `insert into events_internal.dead_letter_outbox select dead_letter_id from events_internal.dead_letters`,
    )
    await query(
      `update events_internal.dead_letters set message = 'invalid: ana-secret', mended = convert_to($1, 'UTF8') where encode(raw, 'escape') like '%cut'`,
      [line({ user_id: ana })],
    )
    for (const who of [{ user_id: ana }, { session_id: 'ana-phone' }, { user_id: ben }])
      await query(
        `insert into events_internal.quarantined_events (event_id, event_type, reason, created_at, received_at, raw)
         values ($1, 'A', 'too_old', now() - interval '9 days', now(), convert_to($2, 'UTF8'))`,
        [randomUUID(), line(who)],
      )
    await query(COUNT_DEAD, [0])
    await query(COUNT_QUARANTINED)
    await query(`select events_internal.count_missing()`)
    await buildSegments(database.pool, [today])
    expect((await placesThatHold(database.superuser, ['ana-secret'])).length).toBeGreaterThan(3)
  })
  afterAll(() => database.stop())

  const query = async <Row = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    (await database.superuser.query(sql, values)).rows as Row[]
  const write = async (text: string, user: string | null, session: string | null, { seq }: { seq?: number }) => {
    minute += 1
    await query(
      `insert into public.platform_events (event_type, user_id, session_id, properties, stream, seq, created_at)
       values ('A', $1, $2, $3, $4, $5, date_trunc('day', now(), 'UTC') + interval '1 minute' * $6)`,
      [user, session, { text }, seq === undefined ? null : stream, seq ?? null, minute],
    )
  }
  const line = (who: object) =>
    JSON.stringify({
      id: randomUUID(),
      ...who,
      properties: { text: `${Object.values(who)[0] === ben ? 'ben-text' : 'ana-secret'}` },
    })
  const setAside = (raw: string, key: string | null) =>
    query(
      `insert into events_internal.dead_letters (source_id, log_id, topic, topic_partition, record_offset, line, reason, raw, received_at, record_key)
       values (1, 'k:t', 't', 0, (random() * 1e9)::bigint, 0, 'refused', convert_to($1, 'UTF8'), now() - interval '1 minute', convert_to($2, 'UTF8'))`,
      [raw, key],
    )
  const counts = () => query('select event_type, event_count::int as n from public.get_event_counts_by_type()')
  const missing = async () => (await query<{ n: string }>('select events_internal.count_missing() as n'))[0]!.n
  const anaKeys = async () =>
    (
      await query<{ key: string }>(
        `select events_internal.actor_key($1, null)::text as key union select events_internal.actor_key(null, 'ana-phone')::text`,
        [ana],
      )
    ).map(({ key }) => key)

  it('is for the service role, and for nobody who comes over the API', async () => {
    const client = await database.superuser.connect()
    try {
      for (const role of ['anon', 'authenticated', 'events_reader']) {
        await client.query(`begin; set local role ${role}`)
        await expect(client.query(`select * from public.forget_actor('user:${ana}')`)).rejects.toMatchObject({
          code: '42501',
        })
        await client.query('rollback')
      }
      await client.query('begin; set local role service_role')
      expect((await client.query(`select * from public.forget_actor('session:nobody')`)).rows[0]).toMatchObject({
        n: '0',
      })
      await client.query('rollback')
    } finally {
      client.release(true)
    }
  })

  it('takes a name as explain_actor has it, and says which user a session means', async () => {
    for (const name of [null, '', ana, 'user:ana', 'session:', `property:${ana}`])
      await expect(query('select * from public.forget_actor($1)', [name])).rejects.toMatchObject({ code: '22023' })
    await expect(query(`select * from public.forget_actor('session:shared')`)).rejects.toMatchObject({
      hint: expect.stringContaining(`user:${ana}`),
    })
  })

  it('leaves nothing of theirs anywhere, and says where it was', async () => {
    const before = await counts()
    const keys = await anaKeys()
    forgotten = await query('select * from public.forget_actor($1)', [`user:${ana}`])
    expect(Object.fromEntries(forgotten.map(({ place, n }) => [place, n]))).toEqual({
      'public.platform_events': '5',
      'events_internal.session_users': '2',
      'events_internal.actors': '1',
      'events_internal.event_segments': '1',
      'events_internal.dead_letters': '4',
      'events_internal.dead_letter_outbox': '4',
      'events_internal.quarantined_events': '2',
      'events_internal.deleted_users': '1',
      'events_internal.forgotten_sessions': '2',
      'event log and its spools': null,
      'platform.events.dlq.v1': null,
      backups: null,
    })
    expect(await placesThatHold(database.superuser, [ana, 'ana-phone', 'ana-secret', ...keys], MEMORY)).toEqual([])
    expect(await counts()).toEqual(before)
    expect(await rollupDifferences(database.pool)).toEqual([])
    expect(await ledgerFaults(database.pool)).toEqual([])
    expect(await missing()).toBe('0')
  })

  it('leaves to the others what is theirs', async () => {
    expect(
      await query(
        `select user_id, session_id, properties from public.platform_events where properties <> '{}' order by session_id`,
      ),
    ).toEqual([
      { user_id: ben, session_id: 'ben-laptop', properties: { text: 'ben-text' } },
      { user_id: null, session_id: 'guest-tab', properties: { text: 'guest-text' } },
      { user_id: ben, session_id: 'shared', properties: { text: 'ben-text' } },
    ])
    expect(await query('select session_id, user_id from events_internal.session_users order by 1')).toEqual([
      { session_id: 'ben-laptop', user_id: ben },
      { session_id: 'shared', user_id: ben },
    ])
    expect(
      await query(`select resolution, count(*)::int as n from events_internal.dead_letters group by 1 order by 1`),
    ).toEqual([
      { resolution: 'given_up', n: 4 },
      { resolution: null, n: 1 },
    ])
  })

  it('lets segments be built of what is there now', async () => {
    await buildSegments(database.pool, [today])
    const { bySegments, raw, segments } = await readBothWays(database.pool, today, today, 'text')
    expect(segments).toEqual([today])
    expect(bySegments).toEqual(raw)
    expect(await placesThatHold(database.superuser, [ana, 'ana-secret', ...(await anaKeys())], MEMORY)).toEqual([])
  })

  it('finds nothing the second time', async () => {
    const again = await query<{ place: string; n: string | null }>('select * from public.forget_actor($1)', [
      `user:${ana}`,
    ])
    expect(again.filter(({ place, n }) => n !== '0' && n !== null && !MEMORY.includes(place))).toEqual([])
  })

  it('reaches what came while it looked, up to then where the user is still there, and everything once they are deleted', async () => {
    await write('ana-secret', ana, 'ana-late', {})
    await write('ana-secret', null, 'ana-phone', {})
    await setAside(line({ user_id: ana }), null)
    await query(COUNT_DEAD, [LETTERS])
    await query(
      `insert into public.platform_events (event_type, user_id, session_id, properties, created_at)
       values ('A', $1, 'ana-new', '{"text": "ana-again"}', now() + interval '1 minute')`,
      [ana],
    )
    expect(await query('select events_internal.anonymise_late_events() as n')).toEqual([{ n: 2 }])
    expect(await placesThatHold(database.superuser, ['ana-secret', 'ana-phone', 'ana-late'], MEMORY)).toEqual([])
    expect(await query('select session_id from public.platform_events where user_id = $1', [ana])).toEqual([
      { session_id: 'ana-new' },
    ])
    await query('delete from auth.users where id = $1', [ana])
    expect(await query('select events_internal.anonymise_late_events() as n')).toEqual([{ n: 0 }])
    expect(await placesThatHold(database.superuser, [ana, 'ana-again', 'ana-new'], MEMORY)).toEqual([])
    expect(await rollupDifferences(database.pool)).toEqual([])
  })

  it('reads each line that was set aside once, however many people are remembered', async () => {
    const client = await database.superuser.connect()
    try {
      await client.query(`begin; set local track_functions = 'pl'`)
      await client.query(
        `insert into events_internal.forgotten_sessions select 'gone-' || n, now() - interval '1 hour' from generate_series(1, 30) n`,
      )
      await client.query(
        `insert into events_internal.quarantined_events (event_id, event_type, reason, created_at, received_at, raw)
         select gen_random_uuid(), 'A', 'too_old', now() - interval '9 days', now() - interval '2 hours',
           convert_to(json_build_object('session_id', case when n = 7 then 'gone-7' else 'here-' || n end)::text, 'UTF8')
         from generate_series(1, 20) n`,
      )
      const lines = await client.query(
        `select (select count(*) from events_internal.quarantined_events where raw <> '')
           + (select count(*) + count(mended) from events_internal.dead_letters where raw <> '' or mended is not null) as n`,
      )
      expect((await client.query('select events_internal.anonymise_late_events() as n')).rows).toEqual([{ n: 1 }])
      const { rows } = await client.query(
        `select sum(calls)::text as n from pg_stat_xact_user_functions where funcname in ('people_of_line', 'line_is_of')`,
      )
      expect(rows).toEqual(lines.rows)
    } finally {
      await client.query('rollback')
      client.release(true)
    }
  })

  it('remembers whom it forgot for as long as anything can come', async () => {
    await query(`update events_internal.deleted_users set forgotten_at = now() - interval '15 days 1 minute'`)
    await query(`update events_internal.forgotten_sessions set forgotten_at = now() - interval '15 days 1 minute'`)
    await query('select events_internal.anonymise_late_events()')
    expect(await placesThatHold(database.superuser, [ana, 'ana-'])).toEqual([])
  })

  it('forgets a guest by the session, and what waits to be imported', async () => {
    await query(`
      create table events_internal.platform_events_before (id uuid primary key default gen_random_uuid(), event_type text, user_id uuid, session_id text,
        properties jsonb, created_at timestamptz);
      alter table events_internal.platform_events_before owner to events_owner;
      insert into events_internal.platform_events_before (event_type, user_id, session_id, properties, created_at) values
        ('A', null, 'guest-tab', '{"text": "guest-text"}', now()), ('A', '${ben}', 'ben-old', '{"text": "ben-text"}', now()),
        ('A', null, 'ben-old', '{"text": "ben-text"}', now()), ('A', null, 'other', '{"text": "other"}', now())`)
    const guest = await query('select * from public.forget_actor($1)', ['session:guest-tab'])
    expect(guest).toContainEqual({ place: 'events_internal.platform_events_before', action: 'emptied', n: '1' })
    expect(await placesThatHold(database.superuser, ['guest-t'], MEMORY)).toEqual([])
    await query('select * from public.forget_actor($1)', [`user:${ben}`])
    expect(await placesThatHold(database.superuser, [ben, 'ben-'], MEMORY)).toEqual([])
    expect(await rollupDifferences(database.pool)).toEqual([])
    expect(await ledgerFaults(database.pool)).toEqual([])
  })
})
