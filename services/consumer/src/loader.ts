import { classify, type ErrorClass, sqlstateOf } from '@platform-events/postgres'
import { Backoff, type Logger, reasonOf } from '@platform-events/runtime'
import { FrozenPredecessorError } from './blockers.ts'
import { type AskForDay, daysOf } from './days.ts'
import { DeadStreak, DeadStreakError } from './dead-streak.ts'
import { AbandonedError, type LoadOptions, type LoadOutcome, load } from './load.ts'
import type { ConsumerMetrics, RetryClass } from './metrics.ts'
import type { PreparedBatch } from './prepared-batch.ts'

export interface LoaderOptions extends Pick<LoadOptions, 'pool' | 'copy' | 'shard' | 'lockTimeoutMs'> {
  logger: Logger
  metrics: ConsumerMetrics
  askForDay: AskForDay
  /** So many dead letters in a row with one code pause the consumer. */
  deadInARow: number
  /** Called when dead letters were committed, which then are to go to their topic, too. */
  onDead?: (() => void) | undefined
  /** The first and the longest pause between two attempts. */
  backoffMs?: [first: number, longest: number]
}

/** Why nothing is being stored at the moment. */
export interface Trouble {
  since: Date
  /** It takes a person; else time will mend it. */
  paused: boolean
  /** SQLSTATE and message. */
  reason: string
}

/**
 * Stores batches, trying again until they are stored or given up. By the class of the error: a fault of ours pauses (an
 * operator must act; nothing is dead-lettered for it), a missing partition is asked for, everything else is waited out.
 */
export class Loader {
  readonly #options: LoaderOptions
  readonly #recentCollisions = new RecentCollisions()
  #streak: DeadStreak
  #trouble: Trouble | undefined
  #lastCommit: Date | undefined

  constructor(options: LoaderOptions) {
    this.#options = options
    this.#streak = new DeadStreak(options.deadInARow)
  }

  get trouble(): Trouble | undefined {
    return this.#trouble
  }

  get lastCommit(): Date | undefined {
    return this.#lastCommit
  }

  /** @returns where to go on from; what is missing was given up (its signal) */
  async load(batches: PreparedBatch[]): Promise<Map<PreparedBatch, number>> {
    const settled = new Map<PreparedBatch, number>()
    const backoff = new Backoff(...(this.#options.backoffMs ?? [100, 15_000]))
    for (let rest = wanted(batches); rest.length > 0; rest = wanted(rest)) {
      try {
        const started = performance.now()
        const streak = this.#streak.copy()
        const { pool, copy, shard, lockTimeoutMs } = this.#options
        const outcome = await load(rest, {
          pool,
          copy,
          shard,
          streak,
          publishDead: this.#options.onDead !== undefined,
          expectDuplicates: this.#recentCollisions.many,
          ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
        })
        this.#trouble = undefined
        if (outcome.fenced === null) {
          this.#streak = streak
          this.#committed(rest, outcome, performance.now() - started)
          for (const prepared of rest) settled.set(prepared, prepared.batch.nextOffset)
          break
        }
        rest = this.#leaveFenced(rest, outcome.fenced, settled)
      } catch (error) {
        if (!(error instanceof AbandonedError)) await this.#recover(error, rest, backoff)
      }
    }
    return settled
  }

  /** Takes out the batches that somebody else got ahead of, and says where they go on. */
  #leaveFenced(
    batches: PreparedBatch[],
    fenced: Map<PreparedBatch['batch'], number>,
    settled: Map<PreparedBatch, number>,
  ): PreparedBatch[] {
    return batches.filter((prepared) => {
      const stored = fenced.get(prepared.batch)
      if (stored === undefined) return true
      settled.set(prepared, stored)
      const { topicPartition, storedOffset, nextOffset } = prepared.batch
      const { topic, partition } = topicPartition
      // Our own commit whose answer was lost looks the same, and is none the worse for it.
      this.#options.metrics.fenced.inc()
      this.#options.logger.warn({ topic, partition, storedOffset, nextOffset, found: stored }, 'fenced')
      return false
    })
  }

  async #recover(error: unknown, batches: PreparedBatch[], backoff: Backoff): Promise<void> {
    const fault = error instanceof DeadStreakError ? 'ours' : classify(error)
    const sqlstate = sqlstateOf(error)
    const reason = [sqlstate, reasonOf(error)].filter(Boolean).join(' ')
    this.#options.metrics.retries.inc({ class: retryClass(error, fault) })
    const isNews = this.#trouble?.reason !== reason
    const paused = needsSomebody(fault)
    if (isNews) this.#trouble = { since: this.#trouble?.since ?? new Date(), paused, reason }
    // The second time in a row asking did not help, whatever it said.
    if (fault === 'no_partition' && (await this.#askForDays(batches)) && isNews) return
    if (error instanceof FrozenPredecessorError) return
    // Not the error itself: its detail and where fields quote the row.
    const level = paused ? 'error' : 'warn'
    if (isNews) this.#options.logger[level]({ sqlstate, class: fault, reason }, 'nothing stored, trying again')
    await backoff.pause(AbortSignal.any(batches.map(({ batch }) => batch.signal)))
  }

  /** @returns whether all days of the batches have their partition now */
  async #askForDays(batches: PreparedBatch[]): Promise<boolean> {
    const days = daysOf(batches)
    try {
      for (const day of days) await this.#options.askForDay(day)
      this.#options.logger.warn({ days }, 'asked for missing partitions')
      return true
    } catch (error) {
      this.#options.logger.warn({ days, sqlstate: sqlstateOf(error), reason: reasonOf(error) }, 'no partition made')
      return false
    }
  }

  #committed(batches: PreparedBatch[], outcome: Extract<LoadOutcome, { fenced: null }>, ms: number): void {
    const { stored, duplicates, dead, quarantined, collided } = outcome
    const { metrics, logger, onDead } = this.#options
    this.#lastCommit = new Date()
    if (dead > 0) onDead?.()
    this.#recentCollisions.add(collided)
    metrics.rows.inc({ outcome: 'stored' }, stored)
    metrics.rows.inc({ outcome: 'duplicate' }, duplicates)
    metrics.rows.inc({ outcome: 'dead' }, dead)
    metrics.rows.inc({ outcome: 'quarantined' }, quarantined)
    metrics.batchSeconds.observe(ms / 1000)
    const received = Math.min(...batches.flatMap(({ batch }) => receiptOf(batch.records[0]?.headers.received_at)))
    if (Number.isFinite(received)) metrics.freshnessSeconds.observe(Math.max(0, Date.now() - received) / 1000)
    logger[dead > 0 ? 'warn' : 'info'](
      {
        topic: batches[0]!.batch.topicPartition.topic,
        partition: batches.map(({ batch }) => batch.topicPartition.partition),
        firstOffset: batches.map(({ batch }) => batch.records[0]!.offset),
        lastOffset: batches.map(({ batch }) => batch.records.at(-1)!.offset),
        rows: stored,
        duplicates,
        rejects: dead,
        quarantined,
        ms: Math.round(ms),
      },
      'stored',
    )
  }
}

/** Whether duplicates came in more than one load of five lately: then trying the plain COPY first is a loss. */
class RecentCollisions {
  #share = 0

  get many(): boolean {
    return this.#share > 0.2
  }

  /** A moving average over about ten loads. */
  add(collided: boolean): void {
    this.#share += ((collided ? 1 : 0) - this.#share) / 10
  }
}

function wanted(batches: PreparedBatch[]): PreparedBatch[] {
  return batches.filter(({ batch }) => !batch.signal.aborted)
}

/** Row errors and duplicates are dealt with where they come up; out here they come from our other statements. */
function needsSomebody(fault: ErrorClass): boolean {
  return fault === 'ours' || fault === 'row' || fault === 'duplicate'
}

function retryClass(error: unknown, fault: ErrorClass): RetryClass {
  if (error instanceof FrozenPredecessorError) return 'frozen'
  return fault === 'retry' || fault === 'ours' || fault === 'no_partition' ? fault : 'other'
}

function receiptOf(time: string | undefined): number[] {
  const ms = Date.parse(time ?? '')
  return Number.isNaN(ms) ? [] : [ms]
}
