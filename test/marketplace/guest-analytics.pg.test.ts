import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { asCaller, type Caller } from '../support/callers.ts'
import { carrying, type MadeGuest, makeGuest, makeUser } from '../support/guests.ts'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let guest: MadeGuest
let user: string
let other: string

beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  guest = await makeGuest(database.pool)
  user = await makeUser(database.pool)
  other = await makeUser(database.pool)
})
afterEach(() => database.pool.query('delete from platform_events'))

const convert = (caller: Caller, session: string | null, to: string | null) =>
  asCaller(database.pool, caller, (ask) => ask('select public.convert_guest_to_user($1, $2)', [session, to]))
async function conversions(): Promise<number> {
  const { rows } = await database.pool.query(
    `select count(*)::int as n from platform_events where event_type = 'GuestConverted'`,
  )
  return rows[0].n
}

const STEPS = '["SearchStarted", "BookingConfirmed"]'
const track = (type: string, session: string, of: string | null = null) =>
  database.pool.query(
    `insert into platform_events (event_type, session_id, user_id, created_at) values ($1, $2, $3, clock_timestamp())`,
    [type, session, of],
  )
async function funnel(): Promise<number[]> {
  const { rows } = await database.pool.query(
    `select actors::int from conversion_funnel($1, now() - interval '1 hour', now() + interval '1 hour') order by step`,
    [STEPS],
  )
  return rows.map(({ actors }) => actors)
}
const counts = async () =>
  (
    await database.pool.query(
      `select event_type, event_count::int as n from get_event_counts_by_type(now() - interval '1 hour', now() + interval '1 hour') order by 1`,
    )
  ).rows

it.each([
  ['with the tracker’s session', 'tab-1'],
  ['without: the guest session’s own id', undefined],
])('the guest who searched is the user who books, %s', async (_, tracked) => {
  guest = await makeGuest(database.pool, tracked === undefined ? {} : { analytics_session_id: tracked })
  const session = tracked ?? guest.id
  await track('SearchStarted', session)
  await convert(carrying(guest.token, user), guest.id, user)
  await track('BookingConfirmed', 'another tab', user)
  expect(await funnel()).toEqual([1, 1])
  expect(await counts()).toEqual([
    { event_type: 'BookingConfirmed', n: 1 },
    { event_type: 'GuestConverted', n: 1 },
    { event_type: 'SearchStarted', n: 1 },
  ])
})

it('were two people before, and nothing but the conversion is counted anew', async () => {
  guest = await makeGuest(database.pool, { analytics_session_id: 'tab-2' })
  await track('SearchStarted', 'tab-2')
  await track('SearchStarted', 'tab-of-somebody-else')
  await track('BookingConfirmed', 'phone', user)
  await track('SearchStarted', 'phone', user)
  expect(await funnel()).toEqual([3, 0])
  const before = await counts()
  await convert(carrying(guest.token, user), guest.id, user)
  expect(await funnel()).toEqual([2, 1])
  expect((await counts()).filter(({ event_type }) => event_type !== 'GuestConverted')).toEqual(before)
})

it('brings both sessions where the server had used its own', async () => {
  guest = await makeGuest(database.pool, { analytics_session_id: 'tab-3' })
  await track('SearchStarted', guest.id)
  await track('SearchStarted', 'tab-3')
  await convert(carrying(guest.token, user), guest.id, user)
  await track('BookingConfirmed', 'x', user)
  expect(await funnel()).toEqual([1, 1])
  expect(await conversions()).toBe(1)
})

it('leaves a session with the user who had it before', async () => {
  guest = await makeGuest(database.pool, { analytics_session_id: 'shared' })
  await track('SearchStarted', 'shared', other)
  await convert(carrying(guest.token, user), guest.id, user)
  await track('BookingConfirmed', 'x', user)
  expect(await funnel()).toEqual([1, 0])
})

it('costs no conversion where the event cannot be stored: it waits', async () => {
  const client = await database.pool.connect()
  try {
    await client.query('begin')
    await client.query(
      `create function public.refuse() returns trigger language plpgsql as $f$ begin raise exception 'full'; end $f$`,
    )
    await client.query(
      'create trigger refuse before insert on platform_events for each row execute function public.refuse()',
    )
    await client.query(`select marketplace_internal.convert_guest_to_user('service_role', $1, $2)`, [guest.id, user])
    await client.query('drop function public.refuse() cascade')
    await client.query('commit')
  } finally {
    client.release()
  }
  const { rows } = await database.pool.query('select metadata from guest_sessions where id = $1', [guest.id])
  expect(rows).toMatchObject([{ metadata: { converted_to_user_id: user } }])
  expect(await conversions()).toBe(0)
  await database.pool.query('select marketplace_internal.send_unsent_events()')
  expect(await conversions()).toBe(1)
})
