import { Backoff, type Logger } from '@platform-events/runtime'
import type { ConsumedRecord, ConsumeOptions, Consumption, TopicPartition } from './event-log.ts'
import { decodeRecord, eventsOf } from './local-record.ts'

export const DEFAULT_MAX_EVENTS = 10_000

/** A batch also ends here, whatever its number of events: events of 32 KB must not fill the memory. */
const BATCH_BYTES = 16 * 1024 * 1024

/** How long a stop waits for a batch under way before it aborts it: a load takes a second at most where all is well. */
export const STOP_GRACE_MS = 2500

/** What a consumption reads from. */
export interface LocalSource {
  topicPartition(): TopicPartition
  first(): number
  end(): number
  range(from: number): Iterable<{ offset: number; value: Buffer }>
  /** Makes offsets of the past meaningless: see `lose`. */
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
        const begin = await beginning(source, options, logger)
        stored = begin.stored
        next = begin.next
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
      next = stored === nextOffset ? nextOffset : settle(source, stored)
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

/** Where to begin: at the stored offset, or, where that lies outside the log, at the log's start. */
async function beginning(
  source: LocalSource,
  options: ConsumeOptions,
  logger: Logger,
): Promise<{ stored: number | null; next: number }> {
  const stored = await options.from(source.topicPartition())
  const next = settle(source, stored)
  if (next !== undefined) return { stored, next }
  await lose(source, stored!, options, logger)
  const moved = await options.from(source.topicPartition())
  return { stored: moved, next: settle(source, moved) ?? source.first() }
}

/** Where to go on for a stored offset; undefined: it lies outside the log. */
function settle(source: LocalSource, stored: number | null): number | undefined {
  if (stored === null) return source.first()
  return stored >= source.first() && stored <= source.end() ? stored : undefined
}

/**
 * Before the start: the records between were trimmed. Past the end: this log has lost its tail (a folder put back from a copy, a
 * disk that lied), and will give the same offsets to other records. An offset must name one record for ever, so the log takes a
 * new identity; `from`, asked with it, finds nothing, and all that is left is delivered again. The identity first: killed
 * after it, the loss is found by the former one's offsets.
 */
async function lose(source: LocalSource, stored: number, options: ConsumeOptions, logger: Logger): Promise<void> {
  const topicPartition = source.topicPartition()
  const resumedAt = source.first()
  logger.warn({ ...topicPartition, stored, first: resumedAt, end: source.end() }, 'stored offset outside the log')
  if (stored > source.end()) await source.renew()
  await options.onLoss?.({ topicPartition, stored, resumedAt })
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
