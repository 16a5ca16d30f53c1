import { Backoff, inTime, type Logger, reasonOf } from '@platform-events/runtime'
import { type ConsumeOptions, type Consumption, type EventLog, LogUnavailableError } from './event-log.ts'

/** How long a close waits for an attempt to connect; what comes later closes itself. */
const CLOSE_MS = 1000

/**
 * The event log in Kafka, also while Kafka is not reached yet: it is tried again and again in the background. Until then appends
 * and lags reject at once with a LogUnavailableError that says why, and a consumption waits.
 */
export function kafkaWhenReached(open: () => Promise<EventLog>, logger: Logger): EventLog {
  const closing = new AbortController()
  let log: EventLog | undefined
  let reason = 'Kafka is not reached yet'

  async function connect(): Promise<EventLog | undefined> {
    const backoff = new Backoff(200, 5000)
    while (!closing.signal.aborted) {
      try {
        const opened = await open()
        if (closing.signal.aborted) await opened.close()
        else log = opened
        return log
      } catch (err) {
        // Once in the log; /readyz says what it is now.
        const said = reasonOf(err)
        if (said !== reason) logger.warn({ reason: said }, 'Kafka is not reached, trying again')
        reason = said
        await backoff.pause(closing.signal)
      }
    }
    return undefined
  }
  const connected = connect()

  function reached(): EventLog {
    if (log === undefined) throw new LogUnavailableError(reason)
    return log
  }

  return {
    async append(records) {
      await reached().append(records)
    },
    async consume(options) {
      return consumeLater(connected, () => log !== undefined, options)
    },
    async lag(next) {
      return await reached().lag(next)
    },
    async close() {
      closing.abort()
      await inTime(connected, CLOSE_MS, 'connecting to Kafka').catch(() => undefined)
      await log?.close()
    },
  }
}

function consumeLater(
  connected: Promise<EventLog | undefined>,
  reached: () => boolean,
  options: ConsumeOptions,
): Consumption {
  let stopped = false
  const starting = connected.then((log) => (stopped ? undefined : log?.consume(options)))
  return {
    async stop() {
      stopped = true
      if (reached()) await (await starting)?.stop()
    },
  }
}
