import type { Pool } from '@platform-events/postgres'
import { buildSegment } from '../../services/retention/src/build-segment.ts'
import { openSession } from '../../services/retention/src/session.ts'
import { startTestQuery } from '../support/query.ts'
import type { Asked } from './question.ts'

/** The query service over this database, and what builds day segments beside it. */
export interface Service extends Asked {
  /** Builds, or builds again, the segments of these UTC days. */
  buildSegments(days: readonly string[]): Promise<void>
  close(): Promise<void>
}

export async function startService(pool: Pool): Promise<Service> {
  const { app, bearer } = await startTestQuery(pool)
  const session = await openSession(pool)
  if (!session) throw new Error('another process holds the lock of retention in this database')
  return {
    pool,
    async post(path, body) {
      const answer = await app.inject({ method: 'POST', url: `/v1/${path}`, headers: bearer, payload: body as object })
      if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`)
      return answer.json()
    },
    async buildSegments(days) {
      for (const day of days) await buildSegment(session, day as never, { signal: AbortSignal.timeout(30_000) })
    },
    async close() {
      await session.close()
      await app.close()
    },
  }
}
