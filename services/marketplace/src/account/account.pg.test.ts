import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { placesThatHold } from '../../../../test/support/database-text.ts'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { makePerson, type Person } from '../../../../test/support/marketplace-people.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'
import { today } from '../../../../test/support/retention.ts'
import { buildSegments } from '../../../../test/support/segments.ts'

let database: TestDatabase
let app: FastifyInstance
let ana: Person
let ben: Person
const query = async <Row = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await database.pool.query(sql, values)).rows as Row[]
const bearer = (person: Person) => ({ authorization: `Bearer ${platformToken({ sub: person.id })}` })
const exportOf = (person: Person, format = 'json') =>
  app.inject({ url: `/api/account/export?format=${format}`, headers: bearer(person) })

beforeEach(async () => {
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database)
  ana = await makePerson(database.pool)
  ben = await makePerson(database.pool)
})
afterEach(async () => {
  await app.close()
  await database.drop()
})

describe('an export', () => {
  it('has all that is the caller’s, as SQL says, and nothing of anybody else, and no secret', async () => {
    const answer = await exportOf(ana)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    })
    const document = answer.json()
    const { exported_at, user_id, ...tables } = document
    expect({ at: Date.parse(exported_at) > Date.now() - 60_000, user_id }).toEqual({ at: true, user_id: ana.id })
    const counts = Object.fromEntries(
      Object.entries(tables).map(([name, rows]) => [name, Array.isArray(rows) ? rows.length : rows === null ? 0 : 1]),
    )
    expect(counts).toEqual({
      account: 1,
      profile: 1,
      customer: 1,
      bookings: 2,
      payments: 1,
      reviews: 1,
      jobs: 0,
      referrals: 1,
      notifications: 1,
      searches: 2,
      conversations: 1,
      messages: 1,
      chat_requests: 1,
      unsent_events: 1,
      guest_sessions: 1,
      events: 11,
    })
    const rows = (sql: string) =>
      query<{ row: object }>(`select row_to_json(t) as row from ${sql}`).then((all) => all.map(({ row }) => row))
    expect(tables.bookings).toEqual(
      expect.arrayContaining(await rows(`public.bookings t where t.notes = '${ana.mark}'`)),
    )
    expect(tables.messages).toEqual(await rows(`public.amara_messages t where t.content like '%${ana.mark}%'`))
    expect(tables.events).toEqual(
      expect.arrayContaining(await rows(`public.platform_events t where t.properties ->> 'city' = '${ana.mark}'`)),
    )
    expect(tables.account).toMatchObject({ id: ana.id, email: ana.email })
    for (const text of [ben.id, ben.mark, ben.guestId, ben.bookingId]) expect(answer.body).not.toContain(text)
    for (const secret of [ana.guestToken, 'device-hash', 'session_token', 'body_hash'])
      expect(answer.body).not.toContain(secret)
  })

  it('is for signed-in users who are there, ten times in an hour', async () => {
    expect((await app.inject({ url: '/api/account/export' })).json().code).toBe('sign_in_required')
    expect((await exportOf({ ...ana, id: '00000000-0000-4000-8000-00000000000f' })).json().code).toBe(
      'sign_in_required',
    )
    expect((await exportOf(ana, 'xml')).json().code).toBe('invalid_query')
    for (let n = 0; n < 10; n += 1) expect((await exportOf(ana)).statusCode).toBe(200)
    expect((await exportOf(ana)).json().code).toBe('rate_limited')
    expect((await exportOf(ben)).statusCode).toBe(200)
  })
})

describe('an export that is under way', () => {
  beforeEach(async () => {
    await query(
      `insert into public.notifications (user_id, title, body) select $1, 'x', repeat(md5(n::text), 100) from generate_series(1, 20000) n`,
      [ana.id],
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
  })
  const readers: ClientRequest[] = []
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.destroy()
  })
  /** Asks, and takes nothing but the first piece. */
  async function begin(person: Person) {
    const asked = request({
      port: (app.server.address() as AddressInfo).port,
      host: '127.0.0.1',
      path: '/api/account/export',
      headers: bearer(person),
    })
    readers.push(asked)
    asked.on('error', () => undefined)
    asked.end()
    const [response] = await once(asked, 'response')
    response.once('error', () => undefined)
    if (response.statusCode === 200) await once(response, 'readable')
    return { asked, response }
  }
  const copies = async () => {
    const found = await active()
    expect(found).not.toEqual([])
    return found
  }
  const active = () =>
    query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and query like 'copy (%' and state = 'active'`,
    )

  it('ends with its reader, and leaves room for the next', async () => {
    const first = await begin(ana)
    await vi.waitFor(copies, 5000)
    expect((await begin(ana)).response.statusCode).toBe(429)
    first.asked.destroy()
    await vi.waitFor(async () => expect(await active()).toEqual([]), 5000)
    await vi.waitFor(async () => expect((await exportOf(ana)).statusCode).toBe(200), 5000)
  })

  it('runs twice in a process, not three times', async () => {
    await query(`insert into public.notifications (user_id, body) select $1, body from public.notifications`, [ben.id])
    const third = await makePerson(database.pool)
    const both = [await begin(ana), await begin(ben)]
    expect((await exportOf(third)).json()).toMatchObject({ code: 'rate_limited' })
    for (const { asked } of both) asked.destroy()
    await vi.waitFor(async () => expect((await exportOf(third)).statusCode).toBe(200), 5000)
  })

  it('breaks off, and is no document, where Postgres fails in the middle', async () => {
    const { response } = await begin(ana)
    await query('select pg_terminate_backend($1)', [(await vi.waitFor(copies, 5000))[0]!.pid])
    let body = ''
    response.setEncoding('utf8')
    const ended = new Promise((resolve) => response.once('close', resolve))
    response.on('data', (text: string) => {
      body += text
    })
    await ended
    expect(response.complete).toBe(false)
    expect(() => JSON.parse(body)).toThrow()
    await vi.waitFor(async () => expect((await exportOf(ben)).statusCode).toBe(200), 5000)
  })
})

describe('deleting an account', () => {
  const forget = (person: Person) => app.inject({ method: 'DELETE', url: '/api/account', headers: bearer(person) })
  const MEMORY = ['events_internal.deleted_users', 'events_internal.forgotten_sessions']
  const counts = () => query('select event_type, event_count from public.get_event_counts_by_type() order by 1')

  it('leaves nothing of the person anywhere but in the books and counts, and says what it did', async () => {
    await buildSegments(database.pool, [today])
    const before = await counts()
    const keys = await query<{ key: string }>(
      `select events_internal.actor_key($1, null)::text as key union select events_internal.actor_key(null, s)::text from unnest($2::text[]) s`,
      [ana.id, [ana.sessionId, ana.guestId, `guest-tab-${ana.mark}`]],
    )
    const answer = await forget(ana)
    expect(answer.statusCode, answer.body).toBe(200)
    const receipt = answer.json()
    expect(
      Object.fromEntries(receipt.places.map(({ place, n }: { place: string; n: number }) => [place, n])),
    ).toMatchObject({
      'auth.users': 1,
      'public.profiles': 1,
      'public.customers': 1,
      'public.bookings': 2,
      'public.booking_reviews': 1,
      'public.payments': 1,
      'public.referrals': 1,
      'public.notifications': 1,
      'public.searches': 2,
      'public.amara_messages': 1,
      'public.amara_conversations': 1,
      'marketplace_internal.chat_requests': 1,
      'marketplace_internal.unsent_events': 1,
      'public.guest_sessions': 1,
      'public.platform_events': 11,
      'events_internal.quarantined_events': 1,
      backups: null,
    })
    expect(await query('select receipt_id, places from marketplace_internal.forget_receipts')).toEqual([
      { receipt_id: receipt.receipt_id, places: receipt.places },
    ])
    const texts = [ana.id, ana.mark, ana.guestId, ana.guestToken, ...keys.map(({ key }) => key)]
    expect(await placesThatHold(database.pool, texts, MEMORY)).toEqual([])
    await buildSegments(database.pool, [today])
    expect(await placesThatHold(database.pool, texts, MEMORY)).toEqual([])

    expect(
      await query('select customer_id, guest_session_id, total, notes from public.bookings where id = $1', [
        ana.bookingId,
      ]),
    ).toEqual([
      { customer_id: null, guest_session_id: '00000000-0000-4000-8000-000000000000', total: 90000, notes: null },
    ])
    expect(await counts()).toEqual(before)
    expect(
      await query(`select * from public.verify_rollups(now() - interval '1 day', now() + interval '1 hour')`),
    ).toEqual([])
    expect((await exportOf(ana)).json().code).toBe('sign_in_required')
    expect(Object.values((await exportOf(ben)).json()).flat()).toHaveLength(29)
  })

  it('answers the same again, with nothing done, and keeps one receipt', async () => {
    await forget(ana)
    const again = await forget(ana)
    expect(again.statusCode).toBe(200)
    expect(again.json().receipt_id).toBeNull()
    const done = again
      .json()
      .places.filter(
        ({ n, action }: { n: number | null; action: string }) => n !== null && n > 0 && !action.startsWith('kept'),
      )
    expect(done).toEqual([])
    expect(await query('select from marketplace_internal.forget_receipts')).toHaveLength(1)
  })

  it('waits for what the person has under way, and lets nothing begin behind it', async () => {
    const other = await database.pool.connect()
    try {
      await other.query('begin')
      await other.query('insert into public.bookings (customer_id, notes) values ($1, $2)', [ana.id, ana.mark])
      await other.query('insert into public.amara_conversations (user_id) values ($1)', [ana.id])
      const forgetting = forget(ana)
      await vi.waitFor(
        async () =>
          expect(
            await query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
          ).toHaveLength(1),
        5000,
      )
      const insert = () => query('insert into public.amara_conversations (user_id) values ($1)', [ana.id])
      const late = insert().catch((error) => error)
      await other.query('commit')
      const answer = await forgetting
      expect(answer.statusCode, answer.body).toBe(200)
      // Before the other's end it may have come in between, and is then forgotten, too.
      if ((await late) instanceof Error) expect(await late).toMatchObject({ code: '23503' })
      expect(await insert().catch((error) => error)).toMatchObject({ code: '23503' })
    } finally {
      other.release(true)
    }
    expect(await placesThatHold(database.pool, [ana.id, ana.mark], MEMORY)).toEqual([])
  })

  it('reaches tables that were put aside in the archive, and refuses, undoing all, where a table keeps the person', async () => {
    await query(`create schema if not exists marketplace_archive`)
    await query(`create table marketplace_archive.etta_conversations_2026 as select * from public.amara_conversations`)
    await query(`create table marketplace_archive.etta_messages_2026 as select * from public.amara_messages`)
    await query(`create table public.loyalty (owner uuid not null references auth.users)`)
    await query('insert into public.loyalty values ($1)', [ana.id])
    const refused = await forget(ana)
    expect(refused.statusCode).toBe(409)
    expect(refused.json()).toMatchObject({ code: 'account_kept', retryable: false })
    expect((await placesThatHold(database.pool, [ana.mark], MEMORY)).length).toBeGreaterThan(8)
    await query('delete from public.loyalty')
    expect((await exportOf(ana)).json()['marketplace_archive.etta_messages_2026']).toHaveLength(1)
    expect((await forget(ana)).statusCode).toBe(200)
    expect(await placesThatHold(database.pool, [ana.id, ana.mark], MEMORY)).toEqual([])
    expect(await query('select from marketplace_archive.etta_messages_2026')).toHaveLength(1)
  })
})
