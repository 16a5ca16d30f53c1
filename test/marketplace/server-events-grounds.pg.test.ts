import { randomUUID } from 'node:crypto'
import {
  createPool,
  inTransaction,
  migrate,
  migrateMarketplace,
  type Pool,
  type PoolClient,
} from '@platform-events/postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { GROUNDS, type GroundServer, startGround } from '../support/grounds.ts'
import { PLATFORM } from './platform.ts'

// On 15, where the login that migrates is no superuser: what fires as a guest, and a platform whose tables are of another shape.
const ground = GROUNDS.find(({ name }) => name === '15 supabase-old') ?? GROUNDS[0]!
let server: GroundServer
const pools: Pool[] = []

async function open(): Promise<{ url: string; pool: Pool }> {
  const url = (await server.createDatabase()).migratorUrl
  const pool = createPool({ connectionString: url, applicationName: 'platform-events tests', max: 2 })
  pools.push(pool)
  await migrate(url)
  return { url, pool }
}

beforeAll(async () => {
  server = await startGround(ground)
})
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()))
  await server.stop()
})

it('emits for a guest who books as anon, jobs run, and the service role emits', async () => {
  const { url, pool } = await open()
  await migrateMarketplace(url, { development: true, before: 900 })
  const token = randomUUID()
  const asAnon = <T>(work: (client: PoolClient) => Promise<T>) =>
    inTransaction(pool, async (client) => {
      await client.query(`select set_config('request.headers', $1, true), set_config('role', 'anon', true)`, [
        JSON.stringify({ 'x-guest-session-token': token }),
      ])
      return await work(client)
    })
  const guest = await asAnon(async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into guest_sessions (session_token, email, full_name) values ($1, 'g@example.com', 'G') returning id`,
      [token],
    )
    return rows[0]!.id
  })
  const pro = randomUUID()
  await asAnon((client) =>
    client.query('insert into bookings (guest_session_id, professional_id, subtotal) values ($1, $2, 5)', [guest, pro]),
  )
  await pool.query(`update bookings set status = 'cancelled', cancelled_by = 'customer', refund_amount = 3`)
  await inTransaction(pool, async (client) => {
    await client.query('set local role service_role')
    await client.query(`select emit_event('DisputeOpened', '{"reason": "late"}', p_session_id => $1)`, [guest])
  })
  const { rows } = await pool.query(
    'select event_type, session_id, properties from platform_events order by created_at',
  )
  expect(rows).toEqual([
    { event_type: 'CheckoutStarted', session_id: guest, properties: { pro_id: pro, subtotal: 5 } },
    {
      event_type: 'Cancellation',
      session_id: guest,
      properties: { booking_id: expect.any(String), who_initiated: 'customer', refund_amount: 3 },
    },
    { event_type: 'DisputeOpened', session_id: guest, properties: { reason: 'late' } },
  ])
  const { rows: runs } = await pool.query(
    `select marketplace_internal.run_job(job) as run from marketplace_internal.job_states() order by job`,
  )
  expect(runs.map(({ run }) => run.error)).toEqual([undefined, undefined, undefined])
  const { rows: all } = await pool.query(
    `select (get_marketplace_monitoring() -> 'jobs') as jobs, (select count(*)::int from marketplace_internal.booking_attribution) as days,
       (select rows_seen::int from marketplace_internal.row_security_cost('public.bookings', $1)) as seen`,
    [randomUUID()],
  )
  expect(all).toEqual([{ jobs: [expect.anything(), expect.anything(), expect.anything()], days: 1, seen: 0 }])
})

it('says what it does not emit of a platform of another shape, and emits what is mapped', async () => {
  const { pool } = await open()
  await pool.query(PLATFORM)
  const client = await pool.connect()
  const notices: string[] = []
  client.on('notice', (notice) => notices.push(notice.message ?? ''))
  await migrateMarketplace(client, { before: 900 })
  client.release()
  expect(notices.filter((notice) => notice.includes('is not emitted'))).toEqual([
    'SearchStarted is not emitted: public.searches is not there',
    'CheckoutStarted is not emitted: public.bookings has no column subtotal',
    'BookingConfirmed is not emitted: public.bookings has no column total, deposit_captured',
    'Cancellation is not emitted: public.bookings has no column cancelled_by',
    'PaymentAttempted is not emitted: public.payments is not there',
    'ReviewSubmitted is not emitted: public.booking_reviews is not there',
  ])
  await pool.query(
    `select marketplace_internal.emit_events_of('bookings', 'BookingConfirmed',
       '{"booking_id": "id", "total": "total_amount", "deposit_captured": {"else": false}}', '{"user": "customer_id"}',
       '{"column": "status", "becomes": "confirmed"}')`,
  )
  await pool.query(`update bookings set status = 'confirmed' where status <> 'confirmed'`)
  const { rows } = await pool.query(
    `select properties from platform_events where event_type = 'BookingConfirmed' order by properties ->> 'booking_id'`,
  )
  expect(rows.map(({ properties }) => properties)).toEqual([
    { booking_id: '00000000-0000-4000-8000-0000000000b2', deposit_captured: false },
    { booking_id: '00000000-0000-4000-8000-0000000000b3', total: 1, deposit_captured: false },
  ])
})
