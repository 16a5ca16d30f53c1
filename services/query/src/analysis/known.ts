import type { PoolClient } from '@platform-events/postgres'
import type { Range } from './period.ts'

/**
 * Refuses what would be answered with zeros for the wrong reason: event types that never came, a range whose raw events are gone.
 *
 * @throws the error of Postgres (22023), whose text is for the asker
 */
export async function requireAnswerable(
  client: PoolClient,
  eventTypes: string[],
  range: Pick<Range, 'from' | 'to'>,
): Promise<void> {
  await client.query(REQUIRE, [eventTypes, range.from, range.to])
}

const REQUIRE = `
select events_internal.require_known_types($1::text[]), events_internal.require_raw_events($2::timestamptz, $3::timestamptz)`
