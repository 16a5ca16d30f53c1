// What an event of a booking costs the booking: a transaction that inserts one, without a trigger, with the direct insert of
// 0007_server_events.sql, and with an outbox row instead. One client, and eight at once; the three ways take turns, and medians of the turns count.
import { createPool, migrateMarketplace, type Pool } from '@platform-events/postgres'
import { startBenchDatabase } from './database.ts'
import { machine, median } from './facts.ts'

const TURNS = 7
const BOOKINGS_A_TURN = 400
const WAYS = ['none', 'direct', 'outbox'] as const
type Way = (typeof WAYS)[number]

const database = await startBenchDatabase()
const pool = createPool({ connectionString: database.url, applicationName: 'platform-events bench', max: 8 })
try {
  await migrateMarketplace(database.url, { development: true })
  await pool.query(`select events_internal.create_day(current_date)`)
  const { rows } = await pool.query<{ id: string }>('insert into auth.users default values returning id')
  for (const statement of outboxStatements()) await pool.query(statement)
  const measured: Record<string, Record<Way, { median_ms: number; per_second: number }>> = {}
  for (const clients of [1, 8]) {
    const turns: Record<Way, { ms: number[]; perSecond: number[] }> = {
      none: { ms: [], perSecond: [] },
      direct: { ms: [], perSecond: [] },
      outbox: { ms: [], perSecond: [] },
    }
    for (let turn = -1; turn < TURNS; turn++) {
      for (const way of WAYS) {
        await chooseWay(pool, way)
        const { ms, perSecond } = await book(pool, rows[0]!.id, clients)
        if (turn < 0) continue // warms caches and connections
        turns[way].ms.push(ms)
        turns[way].perSecond.push(perSecond)
      }
    }
    measured[`${clients} clients`] = Object.fromEntries(
      WAYS.map((way) => [
        way,
        {
          median_ms: Number(median(turns[way].ms).toFixed(3)),
          per_second: Math.round(median(turns[way].perSecond)),
        },
      ]),
    ) as Record<Way, { median_ms: number; per_second: number }>
  }
  const { rows: stored } = await pool.query<{ events: number; outbox: number; waiting: number }>(
    `select (select count(*)::int from platform_events) as events, (select count(*)::int from outbox) as outbox,
            (select count(*)::int from marketplace_internal.unsent_events) as waiting`,
  )
  const expected = 2 * (TURNS + 1) * BOOKINGS_A_TURN
  if (stored[0]!.events !== expected || stored[0]!.outbox !== expected || stored[0]!.waiting !== 0)
    throw new Error(`${expected} of each were to be stored, and ${JSON.stringify(stored[0])} were`)
  process.stdout.write(
    JSON.stringify({ machine: machine(), bookings_a_turn: BOOKINGS_A_TURN, turns: TURNS, measured }, null, 2),
  )
} finally {
  await pool.end()
  await database.remove()
}

/** The least that an outbox can be: the event as a row, for a process that would move it. */
function outboxStatements(): string[] {
  return [
    `create table outbox (id bigint generated always as identity primary key, event_type text not null, user_id uuid, session_id text,
       properties jsonb not null, created_at timestamptz not null default now())`,
    `create function to_outbox() returns trigger language plpgsql security definer set search_path = '' as $$
     begin
       insert into public.outbox (event_type, user_id, properties)
       values ('CheckoutStarted', new.customer_id, pg_catalog.jsonb_build_object('pro_id', new.professional_id, 'subtotal', new.subtotal));
       return null;
     end $$`,
    `create trigger to_outbox after insert on bookings for each row execute function to_outbox()`,
  ]
}

/** Disables all triggers of bookings that are not the way's. */
async function chooseWay(pool: Pool, way: Way): Promise<void> {
  const { rows } = await pool.query<{ tgname: string }>(
    `select tgname from pg_trigger where tgrelid = 'bookings'::regclass and not tgisinternal and (tgname like 'emit\\_%' or tgname = 'to_outbox')`,
  )
  for (const { tgname } of rows) {
    const wanted = way === 'outbox' ? tgname === 'to_outbox' : way === 'direct' && tgname !== 'to_outbox'
    await pool.query(`alter table bookings ${wanted ? 'enable' : 'disable'} trigger "${tgname}"`)
  }
}

async function book(pool: Pool, user: string, clients: number): Promise<{ ms: number; perSecond: number }> {
  const took: number[] = []
  const each = BOOKINGS_A_TURN / clients
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const client = await pool.connect()
      try {
        for (let n = 0; n < each; n++) {
          const before = performance.now()
          await client.query(
            `insert into bookings (customer_id, professional_id, subtotal, total) values ($1, gen_random_uuid(), 80000, 95000)`,
            [user],
          )
          took.push(performance.now() - before)
        }
      } finally {
        client.release()
      }
    }),
  )
  return { ms: median(took), perSecond: (BOOKINGS_A_TURN / (performance.now() - startedAt)) * 1000 }
}
