import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'

/** Somebody who has something in every table of the platform's and the module's. */
export interface Person {
  id: string
  /** In everything that is theirs and is text. */
  mark: string
  email: string
  sessionId: string
  guestId: string
  guestToken: string
  bookingId: string
}

/** For tests: makes such a person, as the services would have. Their rows hold nothing of anybody else. */
export async function makePerson(pool: Pool): Promise<Person> {
  const id = randomUUID()
  const mark = `mark-${randomUUID().slice(0, 8)}`
  const [guestId, bookingId, conversationId, messageId] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
  const person: Person = {
    id,
    mark,
    email: `${mark}@example.com`,
    sessionId: `session-${mark}`,
    guestId,
    guestToken: `token-${mark}-${randomUUID()}`,
    bookingId,
  }
  const write = (sql: string, values: unknown[]) => pool.query(sql, values)
  await write('insert into auth.users (id, email, created_at) values ($1, $2, now())', [id, person.email])
  await write('insert into public.profiles (id) values ($1)', [id])
  await write('insert into public.customers (id, full_name, phone) values ($1, $2, $2)', [id, mark])
  await write(
    `insert into public.guest_sessions (id, session_token, email, full_name, metadata)
     values ($1, $2, $3, $4, jsonb_build_object('analytics_session_id', $5::text, 'device', 'device-hash-' || $4, 'converted_to_user_id', $6::uuid))`,
    [guestId, person.guestToken, person.email, mark, `guest-tab-${mark}`, id],
  )
  await write(
    `insert into public.bookings (id, customer_id, service, notes, cancel_reason, total) values ($1, $2, 'cleaning', $3, $3, 90000)`,
    [bookingId, id, mark],
  )
  await write(`insert into public.bookings (guest_session_id, customer_id, notes) values ($1, null, $2)`, [
    guestId,
    mark,
  ])
  await write(`insert into public.payments (booking_id, method, amount) values ($1, 'card', 90000)`, [bookingId])
  await write('insert into public.booking_reviews (booking_id, customer_id, rating, body) values ($1, $2, 5, $3)', [
    bookingId,
    id,
    mark,
  ])
  await write('insert into public.referrals (referrer_id, status, referrer_credit_amount) values ($1, $2, 500)', [
    id,
    'rewarded',
  ])
  await write('insert into public.notifications (user_id, title, body) values ($1, $2, $2)', [id, mark])
  await write('insert into public.searches (user_id, city) values ($1, $2)', [id, mark])
  await write('insert into public.searches (session_id, city) values ($1, $2)', [person.sessionId, mark])
  await write('insert into public.amara_conversations (id, user_id) values ($1, $2)', [conversationId, id])
  await write(
    `insert into public.amara_messages (id, conversation_id, role, content, metadata) values ($1, $2, 'user', $3, jsonb_build_object('text', $3::text))`,
    [messageId, conversationId, `"${mark}", he said\nand \\ more \u0007 ñ`],
  )
  await write(
    `insert into marketplace_internal.chat_requests (user_id, idempotency_key, body_hash, conversation_id, answer_id) values ($1, $2, $3, $4, $5)`,
    [id, mark, Buffer.from(mark), conversationId, messageId],
  )
  await write(
    `insert into marketplace_internal.unsent_events (event_type, user_id, properties, created_at) values ('A', $1, jsonb_build_object('t', $2::text), now())`,
    [id, mark],
  )
  for (const [user, session] of [
    [null, person.sessionId],
    [id, person.sessionId],
    [id, null],
    [null, `guest-tab-${mark}`],
    [null, guestId],
  ])
    await write(
      `insert into public.platform_events (event_type, user_id, session_id, properties) values ('SearchStarted', $1, $2, jsonb_build_object('city', $3::text))`,
      [user, session, mark],
    )
  await write(
    `insert into events_internal.quarantined_events (event_id, event_type, reason, created_at, received_at, raw)
     values ($1, 'A', 'too_old', now() - interval '9 days', now(), convert_to($2, 'UTF8'))`,
    [randomUUID(), JSON.stringify({ user_id: id, properties: { mark } })],
  )
  return person
}
