import type { Pool } from '@platform-events/postgres'
import { buildSegment } from '../../services/retention/src/build-segment.ts'
import type { Day } from '../../services/retention/src/day.ts'
import { openSession } from '../../services/retention/src/session.ts'

const never = new AbortController().signal

/** For tests: builds the segments of days as retention does when it closes them, or again. */
export async function buildSegments(pool: Pool, days: Day[]): Promise<void> {
  const session = await openSession(pool)
  if (session === null) throw new Error('another retention holds the lock')
  try {
    for (const day of days) await buildSegment(session, day, { signal: never })
  } finally {
    await session.close()
  }
}
