import type { Pool } from '@platform-events/postgres'
import { emptyTables } from '../support/empty-tables.ts'
import { isoOf } from './definition.ts'
import type { OracleEvent } from './events.ts'

/** Makes the days of these events; those that exist stay. */
export async function prepareDays(pool: Pool, events: readonly OracleEvent[]): Promise<void> {
  const days = [...new Set(events.map(({ at }) => isoOf(at).slice(0, 10)))].sort()
  await pool.query('select events_internal.create_day(day) from unnest($1::date[]) as day', [days])
}

/** Stores by direct insert, in the order given, so that triggers give rows what the consumer would; sources are corrected afterwards. */
export async function storeEvents(pool: Pool, events: readonly OracleEvent[]): Promise<void> {
  if (events.length === 0) return
  await pool.query(
    `insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at)
     select id, event_type, user_id, session_id, properties::jsonb, created_at
     from json_to_recordset($1) as r (id uuid, event_type text, user_id uuid, session_id text, properties text, created_at timestamptz)`,
    [JSON.stringify(events.map(rowOf))],
  )
  await pool.query(
    `update public.platform_events e set source_id = s.source_id
     from json_to_recordset($1) as s (id uuid, created_at timestamptz, source_id smallint)
     where e.id = s.id and e.created_at = s.created_at`,
    [
      JSON.stringify(
        events
          .filter(({ sourceId }) => sourceId !== 0)
          .map((event) => ({ id: event.id, created_at: isoOf(event.at), source_id: event.sourceId })),
      ),
    ],
  )
}

export async function deleteEvents(pool: Pool, events: readonly OracleEvent[]): Promise<void> {
  if (events.length === 0) return
  await pool.query('delete from public.platform_events where id = any ($1::uuid[])', [events.map(({ id }) => id)])
}

/** Forgets every event, and all that is derived from events. */
export async function forgetAll(pool: Pool): Promise<void> {
  await emptyTables(
    pool,
    'public.platform_events',
    'events_internal.session_users',
    'events_internal.event_rollup_hourly',
    'events_internal.actors',
    'events_internal.event_segments',
    'events_internal.event_segment_columns',
    'events_internal.segment_changes',
  )
}

/** The same rows as statements, to be tried by hand. */
export function asInserts(events: readonly OracleEvent[]): string {
  const text = (value: string | null): string => (value === null ? 'null' : `'${value.replaceAll("'", "''")}'`)
  return events
    .map(rowOf)
    .map(
      (row) =>
        `insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at) values (${[
          row.id,
          row.event_type,
          row.user_id,
          row.session_id,
          row.properties,
          row.created_at,
        ]
          .map(text)
          .join(', ')});${row.source_id === 0 ? '' : ` -- source_id ${row.source_id}`}`,
    )
    .join('\n')
}

function rowOf(event: OracleEvent) {
  return {
    id: event.id,
    event_type: event.eventType,
    user_id: event.userId,
    session_id: event.sessionId,
    properties: `{${Object.entries(event.properties)
      .map(([key, json]) => `${JSON.stringify(key)}: ${json}`)
      .join(', ')}}`,
    created_at: isoOf(event.at),
    source_id: event.sourceId,
  }
}
