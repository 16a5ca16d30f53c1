import type { Pool } from '@platform-events/postgres'
import { createTracker } from '@platform-events/tracker'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { platformToken } from '../support/platform-token.ts'
import { freePort } from '../support/process.ts'
import { rollupDifferences } from '../support/rollup.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { connect } from '../support/stored.ts'

const STEPS = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed']
const PROFESSIONAL = '70000000-0000-4000-8000-000000000001'
const ANA = { id: '10000000-0000-4000-8000-0000000000a1', email: 'ana@example.com', session: crypto.randomUUID() }
const BEN = { id: '20000000-0000-4000-8000-0000000000b2', email: 'ben@example.com', session: crypto.randomUUID() }

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let running: Standalone
let pool: Pool

beforeAll(async () => {
  dataDir = await makeDataDir()
  running = await startStandalone({ dataDir: dataDir.path, port: await freePort(), env: { MARKETPLACE: 'on' } })
  pool = connect(running.access.database_url)
})
afterAll(async () => {
  await pool.end()
  await running.stop()
  await dataDir.remove()
})

test('a guest searches, books, signs up, chats, exports and is forgotten, and the numbers are right at each step', async () => {
  // Somebody else, who must not notice anything of it.
  await signUp(BEN)
  await search(BEN.session)
  await vi.waitFor(async () => expect(await counts()).toEqual({ SearchStarted: 1, ProfessionalViewed: 1 }))
  await chat(BEN, 'Do you clean windows?')

  // Ana searches, as a guest: the tracker in her page.
  await search(ANA.session)
  await vi.waitFor(async () => expect(await counts()).toEqual({ SearchStarted: 2, ProfessionalViewed: 2 }))
  expect(await funnel()).toEqual([2, 2, 0, 0])

  // She books without an account: her page inserts the booking with the token of her session.
  const { status, body: guest } = await api('/api/guest/session', {
    body: { email: ANA.email, full_name: 'Ana Gómez', analytics_session_id: ANA.session },
  })
  expect(status).toBe(201)
  const booking = await bookAsGuest(guest)
  expect(await counts()).toEqual({ SearchStarted: 2, ProfessionalViewed: 2, CheckoutStarted: 1 })
  await pool.query(`update public.bookings set status = 'confirmed', total = 95000 where id = $1`, [booking])
  const booked = { SearchStarted: 2, ProfessionalViewed: 2, CheckoutStarted: 1, BookingConfirmed: 1 }
  expect(await counts()).toEqual(booked)
  expect(await funnel()).toEqual([2, 2, 1, 1])
  expect((await api('/api/guest/bookings', { token: guest.session_token })).body).toMatchObject({
    bookings: [{ id: booking, status: 'confirmed' }],
  })

  // She signs up: booking and events are hers from then on, and she is still one person.
  await signUp(ANA)
  const converted = await api('/api/guest/convert', {
    token: tokenOf(ANA),
    body: { session_token: guest.session_token },
  })
  expect(converted).toMatchObject({ status: 200, body: { bookings: 1 } })
  expect((await pool.query('select customer_id, guest_session_id from public.bookings')).rows).toEqual([
    { customer_id: ANA.id, guest_session_id: null },
  ])
  expect(await funnel()).toEqual([2, 2, 1, 1])
  const journey = await pool.query(
    `select event_type from public.explain_actor($1, $2) where chain_step is not null order by chain_step`,
    [JSON.stringify({ steps: STEPS, from: new Date(Date.now() - 3_600_000).toISOString() }), `user:${ANA.id}`],
  )
  expect(journey.rows.map(({ event_type }) => event_type)).toEqual(STEPS)

  // She chats.
  const answer = await chat(ANA, 'How much is a plumber in Bogotá?')
  expect(answer.message).toMatchObject({ role: 'assistant', content: expect.stringMatching(/\w/) })

  // Her export is about her, and about her alone.
  const exported = await api('/api/account/export', { token: tokenOf(ANA) })
  expect(exported).toMatchObject({ status: 200, body: { user_id: ANA.id } })
  expect(exported.body.bookings).toMatchObject([{ id: booking }])
  expect(exported.body.events.map((event: { event_type: string }) => event.event_type).toSorted()).toEqual(
    [...STEPS, 'GuestConverted'].toSorted(),
  )
  expect(exported.body.messages).toHaveLength(2)
  const text = JSON.stringify(exported.body)
  for (const other of [BEN.id, BEN.email, BEN.session, 'windows']) expect(text).not.toContain(other)

  // She asks to be forgotten. The counts of what happened stay; that it was her does not.
  const forgotten = await api('/api/account', { token: tokenOf(ANA), method: 'DELETE' })
  expect(forgotten.status).toBe(200)
  const receipt = JSON.stringify(forgotten.body)
  for (const hers of [ANA.id, ANA.email, ANA.session, 'Gómez']) expect(receipt).not.toContain(hers)
  expect(receipt).toContain('platform_events')
  expect(await counts()).toEqual({ ...booked, GuestConverted: 1 })
  expect(await funnel()).toEqual([1, 1, 0, 0])
  const hers = await pool.query('select from public.platform_events where user_id = $1 or session_id = $2', [
    ANA.id,
    ANA.session,
  ])
  expect(hers.rowCount).toBe(0)
  expect(await rollupDifferences(pool)).toEqual([])
  expect((await pool.query('select count(*)::int as n from public.bookings')).rows).toEqual([{ n: 1 }])
  expect((await pool.query('select user_id from public.amara_conversations')).rows).toEqual([{ user_id: BEN.id }])
  expect((await api('/api/account/export', { token: tokenOf(ANA) })).status).toBe(401)
  expect((await api('/api/account/export', { token: tokenOf(BEN) })).body.messages).toHaveLength(2)
})

interface Person {
  id: string
  email: string
  session: string
}

/** What the platform's sign-up does. */
async function signUp({ id, email }: Person): Promise<void> {
  await pool.query('insert into auth.users (id, email) values ($1, $2)', [id, email])
  await pool.query('insert into public.customers (id, full_name) values ($1, $2)', [id, email.split('@')[0]])
}

const tokenOf = ({ id }: Person): string => platformToken({ sub: id }, running.access.jwt_secret)

async function search(session: string): Promise<void> {
  const tracker = createTracker({ url: running.url, writeKey: running.access.write_key })
  await tracker.trackEvent('SearchStarted', { city: 'Bogotá', service: 'plumbing' }, undefined, session)
  await tracker.trackEvent('ProfessionalViewed', { pro_id: PROFESSIONAL, price: 90_000 }, undefined, session)
  await tracker.closeAnalytics()
}

/** As the customer's page does it through PostgREST: the role anon, the token in a header. */
async function bookAsGuest(guest: { id: string; session_token: string }): Promise<string> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const headers = JSON.stringify({ 'x-guest-session-token': guest.session_token })
    await client.query(`select set_config('request.headers', $1, true), set_config('role', 'anon', true)`, [headers])
    const { rows } = await client.query<{ id: string }>(
      `insert into public.bookings (guest_session_id, professional_id, service, city, subtotal)
       values ($1, $2, 'plumbing', 'Bogotá', 90000) returning id`,
      [guest.id, PROFESSIONAL],
    )
    await client.query('commit')
    return rows[0]!.id
  } finally {
    client.release()
  }
}

async function chat(person: Person, content: string) {
  const { status, body } = await api('/api/amara/chat', {
    token: tokenOf(person),
    body: { messages: [{ role: 'user', content }] },
  })
  expect(status).toBe(200)
  return body
}

async function counts(): Promise<Record<string, number>> {
  const { body } = await api('/v1/counts', { token: running.access.operator_token })
  return Object.fromEntries(
    body.counts.map(({ event_type, event_count }: { event_type: string; event_count: number }) => [
      event_type,
      event_count,
    ]),
  )
}

/** How many people reached each step. */
async function funnel(): Promise<number[]> {
  const { body } = await api('/v1/funnel', {
    token: running.access.operator_token,
    body: { steps: STEPS, window: 'PT24H', unknown_types: 'allow' },
  })
  return body.steps.map(({ actors }: { actors: number }) => actors)
}

async function api(path: string, options: { token?: string; body?: object; method?: string } = {}) {
  const { token, body } = options
  const answer = await fetch(running.url + path, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is what the test looks at
  return { status: answer.status, body: (await answer.json()) as any }
}
