import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { type Journey, minute, storeJourneys, user } from './funnel-journeys.ts'

const BOOKING = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed']
const HOUR = 60
const DAY = 24 * HOUR

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await emptyTables(database.pool, 'public.platform_events', 'events_internal.session_users')
})
afterAll(() => database.drop())

interface Explained {
  created_at: Date | null
  event_type: string | null
  session_id: string | null
  matches: number[] | null
  chain_step: number | null
  note: string | null
}

/** Every type is known: this is asked where one has never come to *this* person. */
const explain = async (funnel: object, actor: string, ...journeys: Journey[]) => {
  await storeJourneys(database.pool, ...journeys, {
    events: [...BOOKING, 'Cancellation', 'LeadReceived'].map((type) => [type, 0]),
  })
  const { rows } = await database.pool.query<Explained>('select * from public.explain_actor($1, $2)', [
    JSON.stringify({ steps: BOOKING, from: minute(-DAY), to: minute(3 * DAY), window: 'P1D', ...funnel }),
    actor,
  ])
  return rows
}
const verdict = async (...asked: Parameters<typeof explain>) => (await explain(...asked)).at(-1)!.note

const guest = (...events: Journey['events']): Journey => ({ session: 'guest', events })

describe('explain_actor', () => {
  it('lists the events that matter, which of them the chosen chain uses, and the verdict', async () => {
    const rows = await explain(
      {},
      user(1),
      {
        session: 'phone',
        events: [
          ['SearchStarted', 0],
          ['SearchStarted', 5],
          ['LeadReceived', 6],
        ],
      },
      {
        user: user(1),
        session: 'phone',
        events: [
          ['ProfessionalViewed', 7],
          ['CheckoutStarted', 5 + DAY + 2 * HOUR],
        ],
      },
      { session: 'somebody else', events: [['CheckoutStarted', 8]] },
    )
    expect(rows.map((row) => [row.created_at?.toISOString(), row.event_type, row.matches, row.chain_step])).toEqual([
      [minute(0), 'SearchStarted', [1], null],
      [minute(5), 'SearchStarted', [1], 1],
      [minute(7), 'ProfessionalViewed', [2], 2],
      [minute(5 + DAY + 2 * HOUR), 'CheckoutStarted', [3], null],
      [undefined, null, null, null],
    ])
    expect(rows.at(-1)!.note).toBe('reached step 2 of 4; CheckoutStarted came 2:00:00 after the window closed')
  })

  it.each<[string, string, object, ...Journey['events']]>([
    ['never', 'did not enter; SearchStarted never came', {}, ['CheckoutStarted', 1]],
    ['never', 'reached step 1 of 4; ProfessionalViewed never came', {}, ['SearchStarted', 1]],
    [
      'all',
      'reached all 2 steps',
      { steps: ['SearchStarted', 'ProfessionalViewed'] },
      ['SearchStarted', 1],
      ['ProfessionalViewed', 1],
    ],
    [
      'before the previous step',
      'reached step 1 of 4; ProfessionalViewed came before step 1 (SearchStarted), 1:30:00 earlier',
      {},
      ['ProfessionalViewed', 10],
      ['SearchStarted', 100],
    ],
    [
      'window, to the microsecond',
      'reached step 1 of 4; ProfessionalViewed came 0:00:00.000001 after the window closed',
      {},
      ['SearchStarted', 0],
      ['ProfessionalViewed', DAY + 1 / 60e6],
    ],
    [
      'of two starts the one that missed by less',
      `reached step 2 of 4; CheckoutStarted came 2:00:00 after the window closed (from the start at ${minute(2 * HOUR).replace('.000', '')})`,
      {},
      ['SearchStarted', 0],
      ['ProfessionalViewed', 1],
      ['SearchStarted', 2 * HOUR],
      ['ProfessionalViewed', 3 * HOUR],
      ['SearchStarted', 3.5 * HOUR],
      ['CheckoutStarted', DAY + 4 * HOUR],
    ],
    [
      'strict: a start that was not interrupted',
      `reached step 1 of 4; ProfessionalViewed came 0:01:00 after the window closed (from the start at ${minute(1).replace('.000', '')})`,
      { mode: 'strict' },
      ['SearchStarted', 0],
      ['SearchStarted', 1],
      ['ProfessionalViewed', DAY + 2],
    ],
    [
      'outside the range',
      `reached step 1 of 4; ProfessionalViewed came only outside the range, at ${minute(90).replace('.000', '')}`,
      { to: minute(60) },
      ['SearchStarted', 0],
      ['ProfessionalViewed', 90],
    ],
    [
      'outside the range, before it',
      `did not enter; SearchStarted came only outside the range, at ${minute(0).replace('.000', '')}`,
      { from: minute(10) },
      ['SearchStarted', 0],
      ['ProfessionalViewed', 90],
    ],
    [
      'one event for one step',
      'reached step 1 of 2; SearchStarted came once only, and is step 1',
      { steps: ['SearchStarted', 'SearchStarted'] },
      ['SearchStarted', 0],
    ],
    [
      'an exclusion',
      `reached step 1 of 4; ProfessionalViewed does not count: Cancellation came at ${minute(2).replace('.000', '')}, between steps 1 and 4, where it is excluded`,
      { exclude: [{ event_type: 'Cancellation' }] },
      ['SearchStarted', 0],
      ['Cancellation', 2],
      ['ProfessionalViewed', 3],
    ],
    [
      'an exclusion after another start, in time but for it',
      `reached step 1 of 2; ProfessionalViewed does not count: Cancellation came at ${minute(DAY).replace('.000', '')}, between steps 1 and 2, where it is excluded (from the start at ${minute(HOUR).replace('.000', '')})`,
      { steps: ['SearchStarted', 'ProfessionalViewed'], exclude: [{ event_type: 'Cancellation' }] },
      ['SearchStarted', 0],
      ['SearchStarted', HOUR],
      ['Cancellation', DAY],
      ['ProfessionalViewed', DAY + 1],
    ],
    [
      'strict: interrupted',
      `reached step 1 of 4; ProfessionalViewed was interrupted: LeadReceived came between, at ${minute(1).replace('.000', '')}`,
      { mode: 'strict' },
      ['SearchStarted', 0],
      ['LeadReceived', 1],
      ['ProfessionalViewed', 2],
    ],
    [
      'strict: never',
      'reached step 1 of 4; ProfessionalViewed never came',
      { mode: 'strict' },
      ['SearchStarted', 0],
      ['LeadReceived', 1],
    ],
    [
      'strict_order: interrupted by a step that is not its turn',
      `reached step 1 of 4; ProfessionalViewed was interrupted: BookingConfirmed came between, at ${minute(2).replace('.000', '')}`,
      { mode: 'strict_order' },
      ['SearchStarted', 0],
      ['LeadReceived', 1],
      ['BookingConfirmed', 2],
      ['ProfessionalViewed', 3],
    ],
    [
      'unordered',
      'did 2 of 4 steps within the window; SearchStarted came before the window began, 2 days 0:00:00 earlier',
      { mode: 'unordered', from: minute(-3 * DAY) },
      ['SearchStarted', -2 * DAY],
      ['CheckoutStarted', 0],
      ['ProfessionalViewed', 1],
    ],
    [
      'unordered, one never',
      'did 3 of 4 steps within the window; BookingConfirmed never came',
      { mode: 'unordered' },
      ['CheckoutStarted', 0],
      ['ProfessionalViewed', 1],
      ['SearchStarted', 1],
    ],
  ])('says why: %s: %s', async (_, expected, funnel, ...events) => {
    expect(await verdict(funnel, 'guest', guest(...events))).toBe(expected)
  })

  it('notes what is excluded', async () => {
    const rows = await explain(
      { exclude: [{ event_type: 'Cancellation', after: 2, before: 3 }] },
      'guest',
      guest(['SearchStarted', 0], ['Cancellation', 1], ['ProfessionalViewed', 2]),
    )
    expect(rows.map(({ event_type, note }) => [event_type, note]).slice(0, 3)).toEqual([
      ['SearchStarted', null],
      ['Cancellation', 'excluded between steps 2 and 3'],
      ['ProfessionalViewed', null],
    ])
  })

  it('takes a session that belongs to a user for that user, who had two', async () => {
    const journeys: Journey[] = [
      { session: 'phone', events: [['SearchStarted', 0]] },
      { user: user(1), session: 'phone', events: [['ProfessionalViewed', 1]] },
      { user: user(1), session: 'desk', events: [['CheckoutStarted', 2]] },
      { user: user(2), session: 'desk', events: [['BookingConfirmed', 3]] },
    ]
    await storeJourneys(database.pool, ...journeys)
    const ask = async (actor: string, unit: string) =>
      (
        await database.pool.query<Explained>('select * from public.explain_actor($1, $2)', [
          JSON.stringify({ steps: BOOKING, from: minute(-1), to: minute(9), unit }),
          actor,
        ])
      ).rows.map(({ event_type, note }) => event_type ?? note)
    const hers = [...BOOKING.slice(0, 3), 'reached step 3 of 4; BookingConfirmed never came']
    for (const name of [user(1), `user:${user(1)}`, 'phone', 'session:phone', 'desk'])
      expect(await ask(name, 'actor'), name).toEqual(hers)
    expect(await ask(user(2), 'actor')).toEqual(['BookingConfirmed', 'did not enter; SearchStarted never came'])
    expect(await ask('session:desk', 'session')).toEqual([
      'CheckoutStarted',
      'BookingConfirmed',
      'did not enter; SearchStarted never came',
    ])
  })

  it('explains a value of a property', async () => {
    const order = { order: "o'1" }
    const funnel = { unit: { property: 'order' } }
    const journey = guest(['SearchStarted', 0, order], ['ProfessionalViewed', 1], ['ProfessionalViewed', 2, order])
    expect(await verdict(funnel, "property:o'1", journey)).toBe('reached step 2 of 4; CheckoutStarted never came')
  })

  it.each([
    ['actor', null, /the actor is null/],
    ['actor', 'user:ana', /ana is no uuid/],
    ['actor', 'property:x', /is nobody of this funnel, whose unit is actor/],
    ['session', `user:${user(1)}`, /is nobody of this funnel, whose unit is session/],
  ])('refuses, by %s, %s', async (unit, actor, message) => {
    await expect(explain({ unit }, actor as string)).rejects.toMatchObject({
      code: '22023',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/./),
    })
  })
})
