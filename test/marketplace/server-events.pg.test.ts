import { randomUUID } from 'node:crypto'
import { inTransaction } from '@platform-events/postgres'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let user: string
const pro = randomUUID()

beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  user = randomUUID()
  await database.pool.query('insert into auth.users (id) values ($1)', [user])
})

interface Emitted {
  event_type: string
  properties: Record<string, unknown>
  session_id: string | null
}

/** The events of a user, in the order of their times. */
async function eventsOf(userId: string): Promise<Emitted[]> {
  const { rows } = await database.pool.query<Emitted>(
    `select event_type, properties, session_id from platform_events where user_id = $1 order by created_at`,
    [userId],
  )
  return rows
}

async function book(status = 'pending'): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>(
    `insert into bookings (customer_id, professional_id, subtotal, total, deposit_type, deposit_captured, status)
     values ($1, $2, 80000, 95000, 'card', true, $3) returning id`,
    [user, pro, status],
  )
  return rows[0]!.id
}

const typesOf = async (userId: string) => (await eventsOf(userId)).map(({ event_type }) => event_type)

it('emits what happens to a booking, with the properties that browsers send', async () => {
  const { pool } = database
  await pool.query(
    `insert into searches (user_id, session_id, city, service, lat, device) values ($1, 'tab-1', 'Bogotá', 'cleaning', 4.6, 'phone')`,
    [user],
  )
  const booking = await book()
  await pool.query(
    `insert into payments (booking_id, method, success, error_code) values ($1, 'pse', false, 'declined')`,
    [booking],
  )
  await pool.query(`insert into payments (booking_id, method, success, amount) values ($1, 'card', true, 95000)`, [
    booking,
  ])
  await pool.query(`update bookings set status = 'confirmed' where id = $1`, [booking])
  await pool.query(`update bookings set status = 'completed' where id = $1`, [booking])
  await pool.query(
    `insert into booking_reviews (booking_id, customer_id, rating, body) values ($1, $2, 5, 'Muy bien')`,
    [booking, user],
  )
  const events = await eventsOf(user)
  expect(events.map(({ event_type, properties }) => [event_type, properties])).toEqual([
    ['SearchStarted', { city: 'Bogotá', service: 'cleaning', lat: 4.6, device: 'phone' }],
    ['CheckoutStarted', { pro_id: pro, subtotal: 80000, deposit_type: 'card' }],
    ['PaymentAttempted', { method: 'pse', success: false, error_code: 'declined' }],
    ['PaymentAttempted', { method: 'card', success: true, amount: 95000 }],
    ['BookingConfirmed', { booking_id: booking, total: 95000, deposit_captured: true }],
    ['JobStatusChanged', { booking_id: booking, from: 'confirmed', to: 'completed' }],
    ['ReviewSubmitted', { booking_id: booking, rating: 5, text_len: 8 }],
  ])
  expect(events[0]!.session_id).toBe('tab-1')
})

it('has what happens to a row in one statement in the order of the story, and one savepoint for all of it', async () => {
  await database.pool.query(
    `insert into bookings (customer_id, professional_id, status) select $1, gen_random_uuid(), 'confirmed' from generate_series(1, 50)`,
    [user],
  )
  const { rows } = await database.pool.query(
    `select array_agg(distinct types) as types, count(*)::int as places from (
       select string_agg(event_type, ' ' order by created_at) as types, count(distinct created_at) as times
       from (select *, row_number() over (order by created_at) as place from platform_events where user_id = $1) e
       group by (place - 1) / 2
     ) pairs where times = 2`,
    [user],
  )
  expect(rows).toEqual([{ types: ['CheckoutStarted BookingConfirmed'], places: 50 }])
  const { rows: savepoints } = await database.pool.query(
    'select count(distinct xmin::text)::int as n from platform_events where user_id = $1',
    [user],
  )
  expect(savepoints).toEqual([{ n: 1 }])
})

it('counts a row once, but each change of its status, also back and forth', async () => {
  const booking = await book('confirmed')
  for (const status of ['cancelled', 'pending', 'confirmed', 'cancelled', 'confirmed'])
    await database.pool.query('update bookings set status = $2 where id = $1', [booking, status])
  expect((await typesOf(user)).sort()).toEqual([
    'BookingConfirmed',
    'Cancellation',
    'CheckoutStarted',
    'JobStatusChanged', // confirmed > cancelled
    'JobStatusChanged', // cancelled > pending
    'JobStatusChanged', // confirmed > cancelled, again
    'JobStatusChanged', // cancelled > confirmed
  ])
  const cancellation = (await eventsOf(user)).find(({ event_type }) => event_type === 'Cancellation')
  expect(cancellation?.properties).toEqual({ booking_id: booking, who_initiated: 'system' })
})

it('has one event of a row that two confirm at once', async () => {
  const booking = await book()
  await Promise.all(
    [1, 2, 3, 4].map(() => database.pool.query(`update bookings set status = 'confirmed' where id = $1`, [booking])),
  )
  expect((await typesOf(user)).filter((type) => type === 'BookingConfirmed')).toHaveLength(1)
})

it('takes the event back with its row', async () => {
  await inTransaction(database.pool, async (client) => {
    await client.query('insert into bookings (customer_id, professional_id) values ($1, $2)', [user, pro])
    throw new Error('no')
  }).catch(() => undefined)
  expect(await eventsOf(user)).toEqual([])
})

it('gives a guest booking the session of the tracker, else of the guest', async () => {
  const { rows } = await database.pool.query<{ id: string }>(
    `insert into guest_sessions (session_token, email, full_name, metadata)
     values ($1, 'a@example.com', 'A', '{"analytics_session_id": "tab-of-guest"}'), ($2, 'b@example.com', 'B', '{}') returning id`,
    [randomUUID(), randomUUID()],
  )
  const sessions = []
  for (const { id } of rows) {
    const guest = randomUUID()
    await database.pool.query('insert into bookings (guest_session_id, professional_id) values ($1, $2)', [id, guest])
    const { rows: found } = await database.pool.query(
      `select session_id, user_id from platform_events where properties ->> 'pro_id' = $1`,
      [guest],
    )
    sessions.push(...found)
  }
  expect(sessions).toEqual([
    { session_id: 'tab-of-guest', user_id: null },
    { session_id: rows[1]!.id, user_id: null },
  ])
})

it('gives no guest session away to whom links it to a booking of their own', async () => {
  const { rows } = await database.pool.query<{ id: string }>(
    `insert into guest_sessions (session_token, email, full_name) values ($1, 'c@example.com', 'C') returning id`,
    [randomUUID()],
  )
  await database.pool.query(
    'insert into bookings (customer_id, guest_session_id, professional_id) values ($1, $2, $3)',
    [user, rows[0]!.id, pro],
  )
  expect(await eventsOf(user)).toMatchObject([{ event_type: 'CheckoutStarted', session_id: null }])
})

it('emits for a signed-in user, who has no right on what it is made of', async () => {
  await inTransaction(database.pool, async (client) => {
    await client.query(`select set_config('request.jwt.claims', $1, true), set_config('role', 'authenticated', true)`, [
      JSON.stringify({ sub: user, role: 'authenticated' }),
    ])
    await client.query('insert into bookings (customer_id, professional_id) values ($1, $2)', [user, pro])
    await client.query('savepoint asked')
    await expect(client.query('select from marketplace_internal.emitted_events')).rejects.toMatchObject({
      code: '42501',
    })
    await client.query('rollback to asked')
    await expect(client.query(`select emit_event('BookingConfirmed')`)).rejects.toMatchObject({ code: '42501' })
    await client.query('rollback to asked')
  })
  expect(await typesOf(user)).toEqual(['CheckoutStarted'])
})

it('books though the event cannot be stored, and sends it when it can', async () => {
  const { pool } = database
  const { rows } = await pool.query<{ leaf: string }>(
    `select c.oid::regclass::text as leaf from pg_class c join pg_inherits i on i.inhrelid = c.oid
     where i.inhparent = 'platform_events'::regclass and c.relname = 'platform_events_' || to_char(now() at time zone 'UTC', 'YYYYMMDD')`,
  )
  const day = rows[0]!.leaf
  const { rows: bounds } = await pool.query<{ bounds: string }>(
    `select pg_get_expr(relpartbound, oid) as bounds from pg_class where oid = $1::regclass`,
    [day],
  )
  await pool.query(`alter table platform_events detach partition ${day}`)
  try {
    const booking = await book('confirmed')
    expect(booking).toBeTruthy()
    expect(await eventsOf(user)).toEqual([])
    const waiting = await pool.query(
      'select event_type, sqlstate from marketplace_internal.unsent_events order by unsent_id',
    )
    expect(waiting.rows.map(({ event_type }) => event_type).sort()).toEqual(['BookingConfirmed', 'CheckoutStarted'])
    expect(waiting.rows[0].sqlstate).toBe('23514')
    expect((await pool.query('select marketplace_internal.send_unsent_events() as n')).rows).toEqual([{ n: 0 }])
  } finally {
    await pool.query(`alter table platform_events attach partition ${day} ${bounds[0]!.bounds}`)
  }
  const sent = await Promise.all([1, 2].map(() => pool.query('select marketplace_internal.send_unsent_events() as n')))
  expect(sent.reduce((sum, { rows: [row] }) => sum + row.n, 0)).toBe(2)
  expect((await typesOf(user)).sort()).toEqual(['BookingConfirmed', 'CheckoutStarted'])
  expect((await pool.query('select from marketplace_internal.unsent_events')).rowCount).toBe(0)
})

it('lets a bulk statement wait, and what a transaction adds beyond its first hundred, and sends them in batches', async () => {
  const { pool } = database
  await inTransaction(pool, async (client) => {
    const insert = `insert into bookings (customer_id, professional_id, subtotal) select $1, gen_random_uuid(), $2::int from generate_series(1, $2)`
    for (const rows of [60, 40, 2100, 1]) await client.query(insert, [user, rows])
  })
  expect(await typesOf(user)).toHaveLength(100)
  const { rows: waiting } = await pool.query(
    `select count(*)::int as events, count(distinct created_at)::int as times, sum(tries)::int as tries, count(distinct xmin::text)::int as savepoints
     from marketplace_internal.unsent_events where user_id = $1`,
    [user],
  )
  expect(waiting).toEqual([{ events: 2101, times: 2101, tries: 0, savepoints: 2 }])
  const sent: number[] = []
  for (let n = 1; n > 0; sent.push(n))
    n = (await pool.query('select marketplace_internal.send_unsent_events() as n')).rows[0].n
  expect(sent).toEqual([1000, 1000, 101, 0])
  const { rows } = await pool.query(
    `select count(*)::int as events, count(distinct properties ->> 'pro_id')::int as bookings, count(actor_key)::int as keys
     from platform_events where user_id = $1`,
    [user],
  )
  expect(rows).toEqual([{ events: 2201, bookings: 2201, keys: 2201 }])
  // And the rollup knows them.
  expect((await pool.query('select * from get_event_counts_by_type()')).rows).toContainEqual({
    event_type: 'CheckoutStarted',
    event_count: (await pool.query(`select count(*) as n from platform_events where event_type = 'CheckoutStarted'`))
      .rows[0].n,
  })
})

it('knows of each row of a bulk update what it was before', async () => {
  const { pool } = database
  await pool.query(
    `insert into bookings (customer_id, professional_id, status)
     select $1, gen_random_uuid(), (array['pending', 'confirmed', 'completed'])[1 + n % 3] from generate_series(1, 3000) n`,
    [user],
  )
  await pool.query(
    `update bookings set status = case when status = 'completed' then 'confirmed' else 'cancelled' end where customer_id = $1`,
    [user],
  )
  const { rows } = await pool.query(
    `select event_type, properties ->> 'from' as before, properties ->> 'to' as after, count(distinct properties ->> 'booking_id')::int as bookings
     from marketplace_internal.unsent_events where user_id = $1 and event_type not like 'Checkout%' group by 1, 2, 3 order by 1, 2`,
    [user],
  )
  await pool.query('delete from marketplace_internal.unsent_events')
  expect(rows).toEqual([
    { event_type: 'BookingConfirmed', before: null, after: null, bookings: 2000 }, // half of them by the update
    { event_type: 'Cancellation', before: null, after: null, bookings: 2000 },
    { event_type: 'JobStatusChanged', before: 'completed', after: 'confirmed', bookings: 1000 },
    { event_type: 'JobStatusChanged', before: 'confirmed', after: 'cancelled', bookings: 1000 },
  ])
})

it('emits for the platform, in its transaction, once for what it names', async () => {
  await inTransaction(database.pool, async (client) => {
    await client.query('set local role service_role')
    const emit = `select emit_event('PayoutInitiated', '{"payout_id": "p-1"}', p_user_id => $1::uuid, p_once => $2) as emitted`
    expect((await client.query(emit, [user, `payout ${user}`])).rows).toEqual([{ emitted: true }])
    expect((await client.query(emit, [user, `payout ${user}`])).rows).toEqual([{ emitted: false }])
    const long = Array.from({ length: 500 }, () => randomUUID()).join()
    expect((await client.query(emit, [user, long])).rows).toEqual([{ emitted: true }])
    expect((await client.query(emit, [user, long])).rows).toEqual([{ emitted: false }])
  })
  expect(await typesOf(user)).toEqual(['PayoutInitiated', 'PayoutInitiated'])
})
