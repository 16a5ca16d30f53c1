import type { Pool } from '@platform-events/postgres'
import { rollupDifferences } from '../support/rollup.ts'
import type { Place, SentEvents } from './sent-events.ts'

/** One promise, and what breaks it: ids of events, or rows in words. Empty is good. */
export interface Check {
  name: string
  broken: string[]
}

export interface Verdict {
  stored: number
  dead: number
  quarantined: number
  /** What else a person may want to know, by name. */
  counts: [name: string, count: number][]
  checks: Check[]
}

interface StoredRow {
  id: string
  session_id: string | null
  stream: string | null
  seq: number | null
  n: unknown
  event_type: string
  user_id: string | null
  created_at: Date
}

const STORED = `
  select id, event_type, user_id, session_id, stream, seq, created_at, properties -> 'n' as n
  from public.platform_events
  order by session_id, created_at, id`

/** Sessions that are mapped to another user than that of their earliest event with both. */
const SESSION_MAP = `
  select session_id, raw.user_id as raw, mapped.user_id as mapped
  from (select distinct on (session_id) session_id, user_id
        from public.platform_events where session_id is not null and user_id is not null
        order by session_id, created_at, id) raw
  full join events_internal.session_users mapped using (session_id)
  where raw.user_id is distinct from mapped.user_id`

const LOSSES = `select reason, topic, topic_partition, stored_offset, resumed_offset from events_internal.loss_events`

const OUTBOX = 'select dead_letter_id from events_internal.dead_letter_outbox'

/** Compares what was sent and acknowledged with what lies in Postgres, id by id. */
export async function reachVerdict(pool: Pool, sent: SentEvents): Promise<Verdict> {
  const stored = (await pool.query<StoredRow>(STORED)).rows
  const dead = await idsOf(
    pool,
    'select event_id as id from events_internal.dead_letters where event_id is not null and resolved_at is null',
  )
  const quarantined = await idsOf(pool, 'select event_id as id from events_internal.quarantined_events')
  const places: Record<Place, Set<string>> = { stored: new Set(stored.map(({ id }) => id)), dead, quarantined }
  const anywhere = (id: string): boolean => Object.values(places).some((ids) => ids.has(id))

  const nowhere: string[] = []
  const elsewhere: string[] = []
  for (const [id, event] of sent.byId) {
    const found = (Object.keys(places) as Place[]).filter((place) => places[place].has(id))
    if (found.length === 0 && event.acknowledged) nowhere.push(id)
    if (found.some((place) => place !== event.goesTo))
      elsewhere.push(`${id} (${found.join(' and ')}, not ${event.goesTo})`)
  }
  return {
    stored: stored.length,
    dead: dead.size,
    quarantined: quarantined.size,
    counts: [],
    checks: [
      { name: 'acknowledged and nowhere', broken: nowhere },
      { name: 'stored twice', broken: repeated(stored) },
      {
        name: 'stored and never sent',
        broken: [...Object.values(places)].flatMap((ids) => [...ids].filter((id) => !sent.byId.has(id))),
      },
      { name: 'in another place than it belongs', broken: elsewhere },
      { name: 'stored other than sent', broken: stored.filter((row) => differs(row, sent)).map(({ id }) => id) },
      { name: 'out of order in its session', broken: disordered(stored) },
      {
        name: 'sent and not acknowledged in the end',
        broken: [...sent.byId]
          .filter(([, event]) => !event.acknowledged)
          .map(([id]) => `${id}${anywhere(id) ? ' (stored)' : ''}`),
      },
      { name: '503 without Retry-After', broken: sent.withoutRetryAfter },
      { name: 'refused by the collector', broken: [...sent.refused].map(([id, code]) => `${id} ${code}`) },
      {
        name: 'hours whose rollup is not the rows',
        broken: (await rollupDifferences(pool)).map((row) => JSON.stringify(row)),
      },
      {
        name: 'sessions mapped to a wrong user',
        broken: await rowsInWords(pool, SESSION_MAP),
      },
      { name: 'losses that the consumer reported', broken: await rowsInWords(pool, LOSSES) },
      { name: 'dead letters that are not on their topic', broken: await rowsInWords(pool, OUTBOX) },
    ],
  }
}

/** How many events lie in Postgres, wherever they belong. */
export async function countThere(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: string }>(
    `select (select count(*) from public.platform_events)
          + (select count(*) from events_internal.dead_letters where event_id is not null and resolved_at is null)
          + (select count(*) from events_internal.quarantined_events) as n`,
  )
  return Number(rows[0]!.n)
}

async function idsOf(pool: Pool, sql: string): Promise<Set<string>> {
  return new Set((await pool.query<{ id: string }>(sql)).rows.map(({ id }) => id))
}

async function rowsInWords(pool: Pool, sql: string): Promise<string[]> {
  return (await pool.query(sql)).rows.map((row) => JSON.stringify(row))
}

function repeated(rows: StoredRow[]): string[] {
  const seen = new Set<string>()
  return rows.filter(({ id }) => seen.size === seen.add(id).size).map(({ id }) => id)
}

function differs(row: StoredRow, sent: SentEvents): boolean {
  const event = sent.byId.get(row.id)
  if (event === undefined) return false
  return (
    row.session_id !== (event.session ?? null) ||
    row.stream !== (event.stream ?? null) ||
    row.seq !== (event.seq ?? null) ||
    row.n !== event.n ||
    row.event_type !== event.eventType ||
    row.user_id !== (event.user ?? null) ||
    // The clocks of the trackers are right: theirs is the time. The others' is corrected.
    (row.stream !== null && event.createdAt !== undefined && row.created_at.getTime() !== Date.parse(event.createdAt))
  )
}

/** Rows come by session in the order of (created_at, id); the trackers' seq must rise with it. */
function disordered(rows: StoredRow[]): string[] {
  return rows
    .filter(({ id, session_id, stream, seq }, index) => {
      const before = rows[index - 1]
      return before?.id !== id && before?.session_id === session_id && before.stream === stream && before.seq! > seq!
    })
    .map(({ id }) => id)
}
