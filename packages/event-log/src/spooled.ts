import { Backoff, inTime, type Logger, reasonOf } from '@platform-events/runtime'
import type { AcceptedCounts } from './accepted-counts.ts'
import { AppendQueue } from './append-queue.ts'
import { type EventLog, LogFullError, type LogRecord, LogUnavailableError } from './event-log.ts'
import { sizeOf } from './kafka-record.ts'
import type { LocalLog } from './local.ts'
import { REQUEST_BYTES, Spool } from './spool.ts'

export interface SpooledLogOptions {
  kafka: EventLog
  /** The spool; closed with the log. */
  spool: LocalLog
  /** Numbers what is appended. */
  accepted: AcceptedCounts
  logger: Logger
  /** Kafka is away when it has not taken an append by then. Default 2000. */
  answerMs?: number
}

export interface SpooledLog extends EventLog {
  spool(): SpoolStats
}

export interface SpoolStats {
  /** Names the spool, whichever process has it open. */
  id: string
  /** Since when appends go to the spool, and why; null while they go to Kafka. */
  away: { since: Date; reason: string } | null
  /** Events that wait for Kafka. */
  events: number
  /** Of what the spool holds on the disk, and the most that it may hold. */
  bytes: number
  maxBytes: number
  /** Events moved from the spool to Kafka by this process. */
  drainedEvents: number
}

/** A probe of Kafka, or a part of the drain, may take so long: longer than the producer takes to give up. */
const DRAIN_MS = 20_000

const CLOSE_MS = 1500

/**
 * The event log in Kafka whose appends are taken by a spool on this disk while Kafka is away: durable after an fsync then.
 *
 * Order: there is one line of appends, and one group of it is written at a time, to Kafka or to the spool. A group that Kafka did not
 * take in time goes to the spool, and so does everything behind it, until the spool is empty: nothing overtakes. What Kafka took
 * nevertheless is there twice, the first time in order; the events' ids tell. Only the first group ever waits for a Kafka that is away:
 * the drain, in the background, is what finds it back.
 */
export async function openSpooledLog(options: SpooledLogOptions): Promise<SpooledLog> {
  const spool = await Spool.open(options.spool, options.kafka, options.accepted)
  const log = new SpoolingAppender(options, spool)
  const { kafka } = options
  return {
    append: (records) => log.append(records),
    consume: (consume) => kafka.consume(consume),
    lag: (next) => kafka.lag(next),
    spool: () => ({ away: log.away, ...spool.stats() }),
    close: () => log.close(),
  }
}

class SpoolingAppender {
  readonly #kafka: EventLog
  readonly #spool: Spool
  readonly #accepted: AcceptedCounts
  readonly #logger: Logger
  readonly #answerMs: number
  readonly #queue: AppendQueue<LogRecord>
  readonly #closing = new AbortController()
  readonly #backoff = new Backoff(100, 2000)
  readonly #draining: Promise<void>
  #wake: () => void = () => undefined

  /** Null: appends go to Kafka. */
  away: { since: Date; reason: string } | null

  constructor({ kafka, accepted, logger, answerMs = 2000 }: SpooledLogOptions, spool: Spool) {
    this.#kafka = kafka
    this.#spool = spool
    this.#accepted = accepted
    this.#logger = logger
    this.#answerMs = answerMs
    this.#queue = new AppendQueue<LogRecord>({
      groupBytes: REQUEST_BYTES,
      lingerMs: 0,
      failTogether: false,
      write: (records) => this.#write(records),
    })
    this.away = { since: new Date(spool.oldest ?? Date.now()), reason: 'not reached yet' }
    this.#draining = this.#drain()
  }

  async append(records: LogRecord[]): Promise<void> {
    if (this.#closing.signal.aborted) throw new LogUnavailableError('the log is closed')
    if (records.length === 0) return
    await this.#queue.append(
      records,
      records.reduce((sum, record) => sum + sizeOf(record), 0),
    )
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#wake()
    await this.#queue.idle()
    // A frozen Kafka must not hold up the end: what it has not taken lies in the spool.
    await Promise.all([this.#draining, inTime(this.#kafka.close(), CLOSE_MS, 'leaving Kafka').catch(() => undefined)])
    await this.#spool.close()
  }

  async #write(records: LogRecord[]): Promise<void> {
    const wasAway = this.away !== null
    this.#accepted.number(records)
    try {
      await this.#makeDurable(records)
    } catch (error) {
      // What Kafka did not answer for, it may have taken all the same; and so the disk.
      if (wasAway && (error as Error).cause instanceof LogFullError) this.#accepted.undo(records)
      else this.#accepted.renew()
      throw error
    }
    this.#accepted.acknowledge(records)
  }

  async #makeDurable(records: LogRecord[]): Promise<void> {
    if (this.away === null) {
      try {
        await inTime(this.#kafka.append(records), this.#answerMs, 'Kafka')
        return
      } catch (error) {
        this.away = { since: new Date(), reason: reasonOf(error) }
        this.#logger.warn({ reason: this.away.reason }, 'Kafka is away: events go to the spool')
        this.#wake()
      }
    }
    await this.#spool.append(records)
  }

  async #drain(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      if (this.away === null) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      try {
        await this.#untilClosed(this.#drainOnce())
      } catch (error) {
        if (signal.aborted) return
        this.away = { since: this.away.since, reason: reasonOf(error) }
        this.#logger.debug({ reason: this.away.reason }, 'Kafka is still away')
        await this.#backoff.pause(signal)
      }
    }
  }

  /** The first step is the probe, too, and holds nobody up. Only the last one, when Kafka just answered well, has appends wait for it. */
  async #drainOnce(): Promise<void> {
    const begun = performance.now()
    if (this.#spool.empty)
      await inTime(
        this.#kafka.lag(async () => null),
        DRAIN_MS,
        'Kafka',
      )
    else await this.#spool.drainSome(DRAIN_MS)
    if (performance.now() - begun > this.#answerMs / 2) {
      // Slow, but it drains. Nobody should wait for such a Kafka again at once.
      if (this.#spool.empty) await this.#backoff.pause(this.#closing.signal)
      return
    }
    this.#backoff.reset()
    if (this.#spool.waitingBytes > REQUEST_BYTES) return
    await this.#queue.between(async () => {
      if (!this.#spool.empty) await this.#spool.drainSome(this.#answerMs)
      if (this.#spool.empty) this.#goDirect()
    })
  }

  #goDirect(): void {
    if (this.away === null) return
    const { drainedEvents } = this.#spool.stats()
    this.#logger.info({ since: this.away.since, drainedEvents }, 'the spool is drained: events go to Kafka')
    this.away = null
  }

  async #untilClosed(work: Promise<void>): Promise<void> {
    const { signal } = this.#closing
    work.catch(() => undefined)
    let onAbort = (): void => undefined
    const closed = new Promise<never>((_, reject) => {
      onAbort = () => reject(new Error('closed'))
    })
    signal.addEventListener('abort', onAbort)
    try {
      await Promise.race([work, closed])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
