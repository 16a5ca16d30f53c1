import type { EventLog, LocalLog } from '@platform-events/event-log'
import type { Pool } from '@platform-events/postgres'
import { type Component, type Logger, reasonOf } from '@platform-events/runtime'

/** How often it is looked whether the log is too large: while it is full nobody's events are taken. */
const LOOK_MS = 1000
const EVERY_MS = 10 * 60 * 1000
/** Stored records stay this long, so that a Postgres put back from yesterday's copy can replay them. */
const KEEP_MS = 24 * 60 * 60 * 1000
/** The share of the log's bound above which stored records go, however young: by default 2 of 4 GiB, about five million events. */
const KEPT_SHARE = 0.5

/** Trims the local log behind what is stored; Kafka does this by itself. */
export function logTrim(log: EventLog, pool: Pool, logger: Logger): Component {
  let timer: NodeJS.Timeout | undefined
  let trimmedAt = 0
  let trimming: Promise<void> | undefined
  let trouble = ''

  function look(local: LocalLog): void {
    const { bytes, maxBytes } = local.stats()
    const due = performance.now() - trimmedAt > EVERY_MS || bytes > maxBytes * KEPT_SHARE
    // A Postgres that is frozen keeps one question open, not one a second.
    if (due) trimming ??= trim(local).finally(() => (trimming = undefined))
  }

  async function trim(local: LocalLog): Promise<void> {
    try {
      const { logId, maxBytes } = local.stats()
      const { rows } = await pool.query<{ next_offset: string }>(
        'select next_offset from events_internal.consumer_offsets where log_id = $1',
        [logId],
      )
      trimmedAt = performance.now()
      trouble = ''
      if (rows[0] === undefined) return
      const storedOffset = Number(rows[0].next_offset)
      const olderThan = new Date(Date.now() - KEEP_MS)
      const records = await local.trim({ storedOffset, olderThan, keepBytes: maxBytes * KEPT_SHARE })
      if (records > 0) logger.info({ ...local.stats(), trimmed: records }, 'log trimmed')
    } catch (error) {
      const reason = reasonOf(error)
      if (reason !== trouble) logger.warn({ reason }, 'the log was not trimmed; it will be tried again')
      trouble = reason
    }
  }

  return {
    name: 'log trim',
    async start() {
      if (isLocal(log)) timer = setInterval(() => look(log), LOOK_MS)
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

function isLocal(log: EventLog): log is LocalLog {
  return 'trim' in log
}
