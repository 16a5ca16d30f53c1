import type { Logger } from '@platform-events/runtime'
import { Backoff } from './backoff.ts'
import type { ConsumedRecord, ConsumeOptions, Consumption, TopicPartition } from './event-log.ts'
import { decodeRecord, eventsOf } from './local-record.ts'

export const DEFAULT_MAX_EVENTS = 10_000

/** A batch also ends here, whatever its number of events: events of 32 KB must not fill the memory. */
const BATCH_BYTES = 16 * 1024 * 1024

/** How long a stop waits for a batch under way before it aborts it: shorter than a process waits for its parts. */
export const STOP_GRACE_MS = 8000

/** What a consumption reads from. */
export interface LocalSource {
  topicPartition(): TopicPartition
  first(): number
  end(): number
  range(from: number): Iterable<{ offset: number; value: Buffer }>
  /** Makes offsets of the past meaningless: see `settle`. */
  renew(): Promise<void>
  /** Resolves at the next append, or on abort. */
  appended(signal: AbortSignal): Promise<void>
}

/** Delivers a local log to one consumer. */
export function consumeLocally(source: LocalSource, options: ConsumeOptions, logger: Logger): Consumption {
  const stopping = new AbortController()
  const giveUp = new AbortController()
  const running = deliver(source, options, logger, stopping.signal, giveUp.signal)
  return {
    async stop() {
      stopping.abort()
      const timer = setTimeout(() => giveUp.abort(), STOP_GRACE_MS)
      await running.finally(() => clearTimeout(timer))
    },
  }
}

async function deliver(
  source: LocalSource,
  options: ConsumeOptions,
  logger: Logger,
  stopping: AbortSignal,
  giveUp: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(100, 5000)
  let stored: number | null = null
  let next: number | undefined
  while (!stopping.aborted) {
    try {
      if (next === undefined) {
        stored = await options.from(source.topicPartition())
        next = await settle(source, stored, options, logger)
        continue
      }
      const records = read(source, next, options.maxEvents ?? DEFAULT_MAX_EVENTS)
      const last = records.at(-1)
      if (last === undefined) {
        await source.appended(stopping)
        continue
      }
      const nextOffset = last.offset + 1
      const topicPartition = source.topicPartition()
      stored = await options.onBatch({ topicPartition, storedOffset: stored, records, nextOffset, signal: giveUp })
      next = stored === nextOffset ? nextOffset : await settle(source, stored, options, logger)
      backoff.reset()
    } catch (err) {
      const { topic, partition } = source.topicPartition()
      if (next !== undefined)
        logger.warn({ err, topic, partition, firstOffset: next }, 'batch not stored, it is delivered again')
      // The consumer's own line says why.
      else logger.debug({ err, topic, partition }, 'stored offset not loaded')
      await backoff.pause(stopping)
    }
  }
}

/**
 * Where to go on for a stored offset; undefined: ask for the stored offset again.
 *
 * Before the start: the records between were trimmed, go on at the start. Past the end: this log has lost its tail (a folder put
 * back from a copy, a disk that lied), and will give the same offsets to other records. An offset must name one record for
 * ever, so the log takes a new identity; `from` is asked with it, finds nothing, and all that is left is delivered again:
 * what is stored already is told by the events' ids.
 */
async function settle(
  source: LocalSource,
  stored: number | null,
  options: ConsumeOptions,
  logger: Logger,
): Promise<number | undefined> {
  const resumedAt = source.first()
  if (stored === null) return resumedAt
  if (stored >= resumedAt && stored <= source.end()) return stored
  const topicPartition = source.topicPartition()
  logger.error({ ...topicPartition, stored, first: resumedAt, end: source.end() }, 'stored offset outside the log')
  options.onLoss?.({ topicPartition, stored, resumedAt })
  if (stored < resumedAt) return resumedAt
  await source.renew()
  return undefined
}

function read(source: LocalSource, from: number, maxEvents: number): ConsumedRecord[] {
  const records: ConsumedRecord[] = []
  let events = 0
  let bytes = 0
  for (const { offset, value } of source.range(from)) {
    events += eventsOf(value)
    bytes += value.length
    if (records.length > 0 && (events > maxEvents || bytes > BATCH_BYTES)) break
    records.push(decodeRecord(offset, value))
  }
  return records
}
