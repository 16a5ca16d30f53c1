import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inTransaction, type PoolClient } from '@platform-events/postgres'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let user: string

beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  user = randomUUID()
  await database.pool.query('insert into auth.users (id) values ($1)', [user])
})

const file = (name: string) => readFile(new URL(`../../migrations/marketplace/${name}`, import.meta.url), 'utf8')

/** What happens in it is undone. */
async function undone(work: (client: PoolClient) => Promise<void>): Promise<void> {
  const undo = new Error('undo')
  await inTransaction(database.pool, async (client) => {
    await work(client)
    throw undo
  }).catch((error) => {
    if (error !== undo) throw error
  })
}

it('maps a table of the platform, and says what it lacks', async () => {
  const { pool } = database
  await pool.query('create table leads (id bigint primary key, pro uuid, town text, price int, instant boolean)')
  const map = (properties: object) =>
    pool.query(`select marketplace_internal.emit_events_of('leads', 'LeadReceived', $1, '{"user": "pro"}')`, [
      properties,
    ])
  await expect(map({ service: 'kind', price: 'price' })).rejects.toThrow('leads has no column kind')
  await map({ 'city?': 'town', 'service?': 'kind', price: 'price', instant_book: 'instant' })
  await pool.query(`insert into leads values (1, $1, 'Cali', 100, true)`, [user])
  const { rows } = await pool.query('select properties from platform_events where user_id = $1', [user])
  expect(rows).toEqual([{ properties: { city: 'Cali', price: 100, instant_book: true } }])
})

it('leaves what the platform mapped itself when it is run again, or has it no longer', async () => {
  await undone(async (client) => {
    const mapped = async () => {
      const { rows } = await client.query(
        `select plan ->> 'event_type' as type, plan -> 'properties' as properties, plan -> 'is_default' as is_default
         from marketplace_internal.event_mappings('bookings') order by story`,
      )
      return rows.map(({ type, properties, is_default }) => [type, Object.keys(properties ?? {}).length, is_default])
    }
    const before = await mapped()
    expect(before).toEqual([
      ['CheckoutStarted', 4, true],
      ['BookingConfirmed', 3, true],
      ['JobStatusChanged', 3, true],
      ['Cancellation', 4, true],
    ])
    await client.query(
      `select marketplace_internal.emit_events_of('bookings', 'BookingConfirmed', '{"booking_id": "id"}', '{"user": "customer_id"}',
         '{"column": "status", "becomes": "completed"}'),
       marketplace_internal.emit_events_of('bookings', 'CheckoutStarted', null)`,
    )
    await client.query(await file('0007_server_events.sql'))
    expect(await mapped()).toEqual([['CheckoutStarted', 0, null], ['BookingConfirmed', 1, null], before[2], before[3]])
    await client.query(`insert into bookings (customer_id, status) values ($1, 'confirmed'), ($1, 'completed')`, [user])
    const { rows } = await client.query('select event_type from platform_events where user_id = $1', [user])
    expect(rows).toEqual([{ event_type: 'BookingConfirmed' }])
  })
})

it('counts the event of a row whose user is none of this database, and keeps it where finding them fails', async () => {
  const { pool } = database
  await pool.query(`
    create table orders (id bigint primary key, buyer text, booking text);
    select marketplace_internal.emit_events_of('orders', 'PaymentAttempted', '{"method": "buyer"}', '{"user": "buyer", "booking": "booking"}')`)
  await pool.query(`insert into orders values (1, 'customer 17', null)`)
  const nobodys = () =>
    pool.query(
      `select user_id, session_id, properties from platform_events where event_type = 'PaymentAttempted' order by created_at`,
    )
  const first = { user_id: null, session_id: null, properties: { method: 'customer 17' } }
  expect((await nobodys()).rows).toEqual([first])
  await pool.query(`insert into orders values (2, null, 'no id')`)
  const { rows } = await pool.query('select event_type, user_id, sqlstate from marketplace_internal.unsent_events')
  expect(rows).toEqual([{ event_type: 'PaymentAttempted', user_id: null, sqlstate: '22P02' }])
  await pool.query('select marketplace_internal.send_unsent_events()')
  expect((await nobodys()).rows).toEqual([first, { ...first, properties: {} }])
})

it('has after a forced rollback and the next migration what waited, and which rows had their event', async () => {
  await undone(async (client) => {
    const { rows: booking } = await client.query<{ id: string }>(
      `insert into bookings (customer_id, status) values ($1, 'confirmed') returning id`,
      [user],
    )
    await client.query(
      `insert into marketplace_internal.unsent_events (event_type, session_id, created_at) values ('SearchStarted', 'waits', now());
       insert into marketplace_internal.guest_session_hours values ('2026-01-02T03:00:00Z', 4, 2);
       insert into marketplace_internal.job_runs (job, started_at, finished_at) values ('cleanup_chat_requests', now(), now())`,
    )
    const names = ['0007_server_events.sql', '0008_jobs.sql', '0009_monitoring.sql']
    for (let turn = 0; turn < 2; turn++) {
      await client.query(`set local marketplace.force = 'on'`)
      for (const name of names.toReversed()) await client.query(await file(`rollback/${name}`))
      for (const name of names) await client.query(await file(name))
    }
    for (const status of ['pending', 'confirmed'])
      await client.query('update bookings set status = $2 where id = $1', [booking[0]!.id, status])
    const { rows } = await client.query(
      `select (select count(*)::int from platform_events where event_type = 'BookingConfirmed' and user_id = $1) as confirmed,
         (select count(*)::int from marketplace_internal.unsent_events where session_id = 'waits') as waiting,
         (select sum(sessions)::int from marketplace_internal.guest_session_hours) as sessions,
         (select count(*)::int from marketplace_internal.job_runs) as runs,
         (select count(*)::int from pg_class where relnamespace = 'marketplace_archive'::regnamespace and relkind = 'r') as archives`,
      [user],
    )
    expect(rows).toEqual([{ confirmed: 1, waiting: 1, sessions: 4, runs: 1, archives: 0 }])
  })
})
