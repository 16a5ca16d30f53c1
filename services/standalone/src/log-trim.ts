import type { EventLog, LocalLog } from '@platform-events/event-log'
import type { Pool } from '@platform-events/postgres'
import type { Component, Logger } from '@platform-events/runtime'

const EVERY_MS = 10 * 60 * 1000
/** Stored records stay this long, so that a Postgres put back from yesterday's copy can replay them. */
const KEEP_MS = 24 * 60 * 60 * 1000
/** Of stored records, however young: 2 GiB is about five million events. */
const KEEP_BYTES = 2 * 1024 ** 3

/** Trims the local log behind what is stored; Kafka does this by itself. */
export function logTrim(log: EventLog, pool: Pool, logger: Logger): Component {
  let timer: NodeJS.Timeout | undefined
  async function trim(local: LocalLog): Promise<void> {
    try {
      const { rows } = await pool.query<{ next_offset: string }>(
        'select next_offset from events_internal.consumer_offsets where log_id = $1',
        [local.stats().logId],
      )
      if (rows[0] === undefined) return
      const storedOffset = Number(rows[0].next_offset)
      const olderThan = new Date(Date.now() - KEEP_MS)
      const records = await local.trim({ storedOffset, olderThan, keepBytes: KEEP_BYTES })
      if (records > 0) logger.info({ ...local.stats(), trimmed: records }, 'log trimmed')
    } catch (err) {
      logger.warn({ err }, 'the log was not trimmed; it will be tried again')
    }
  }
  return {
    name: 'log trim',
    async start() {
      if (isLocal(log)) timer = setInterval(() => void trim(log), EVERY_MS)
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

function isLocal(log: EventLog): log is LocalLog {
  return 'trim' in log
}
