import { EventEmitter, once } from 'node:events'
import type { Logger } from '@platform-events/runtime'
import type { AcceptedCounts } from './accepted-counts.ts'
import { AppendQueue } from './append-queue.ts'
import {
  type ConsumedRecord,
  type EventLog,
  LogFullError,
  type LogRecord,
  LogUnavailableError,
  type TopicPartition,
} from './event-log.ts'
import { sizeOf } from './kafka-record.ts'
import { consumeLocally } from './local-consumption.ts'
import { decodeRecord, encodeRecord } from './local-record.ts'
import { LocalStore } from './local-store.ts'
import { type TrimOptions, trimStore } from './local-trim.ts'

export interface LocalLogOptions {
  /** Made when absent; nothing else may lie in it. */
  directory: string
  logger: Logger
  /** Milliseconds since 1970. */
  clock?: () => number
  /** Appends are refused when the log would hold more bytes. Default 4 GiB, about ten million events. */
  maxBytes?: number
  /** Numbers what is appended; absent where it is numbered already. */
  accepted?: AcceptedCounts
}

export interface LocalLog extends EventLog {
  /**
   * Removes records that nobody needs: those before the stored offset that were appended before `olderThan`, and, oldest
   * first, whatever else lies before the stored offset while the log holds more than `keepBytes`. Never a record from the stored offset on.
   *
   * @returns how many records were removed
   */
  trim(options: TrimOptions): Promise<number>
  /** Records from an offset on, of at most so many bytes together, but at least one where there is one. */
  read(from: number, maxBytes: number): ConsumedRecord[]
  stats(): LocalLogStats
}

export interface LocalLogStats {
  logId: string
  /** Of what the log holds; its file may be larger, free space in it is used again. */
  bytes: number
  maxBytes: number
  records: number
  /** The oldest record's offset; `endOffset` when there is none. */
  firstOffset: number
  /** The next record's offset. */
  endOffset: number
}

export const LOCAL_TOPIC = 'local'
const COMMIT_BYTES = 4 * 1024 * 1024
const DEFAULT_MAX_BYTES = 4 * 1024 ** 3

/**
 * The event log in a folder of this machine: one topic partition, offsets from 0 without gaps, an append resolves after
 * fsync. For one process at a time; the next one goes on where it ended, however it ended.
 *
 * @throws DirectoryLockedError while another living process has it open
 */
export async function openLocalLog(options: LocalLogOptions): Promise<LocalLog> {
  const { logger, clock = Date.now, maxBytes = DEFAULT_MAX_BYTES, accepted } = options
  const store = await LocalStore.open(options.directory)
  const appends = new EventEmitter().setMaxListeners(0)
  const write = async (records: LogRecord[]): Promise<void> => {
    const values = records.map((record) => encodeRecord(record, clock()))
    const bytes = values.reduce((sum, value) => sum + value.length, 0)
    if (store.bytes() + bytes > maxBytes)
      throw new LogFullError(`the log is full: ${store.bytes()} of ${maxBytes} bytes`)
    await store.append(values)
    appends.emit('append')
  }
  const queue = new AppendQueue<LogRecord>({
    groupBytes: COMMIT_BYTES,
    lingerMs: 0,
    failTogether: false,
    async write(records) {
      accepted?.number(records)
      try {
        await write(records)
      } catch (error) {
        // A commit that failed late may be there all the same.
        if (error instanceof LogFullError) accepted?.undo(records)
        else accepted?.renew()
        throw error
      }
      accepted?.acknowledge(records)
    },
  })
  const topicPartition = (): TopicPartition => ({ logId: store.logId, topic: LOCAL_TOPIC, partition: 0 })
  const consumptions = new Set<{ stop(): Promise<void> }>()
  let closed = false
  return {
    async append(records) {
      if (closed) throw new LogUnavailableError('the local log is closed')
      if (records.length === 0) return
      await queue.append(
        records,
        records.reduce((sum, record) => sum + sizeOf(record), 0),
      )
    },
    async consume(consume) {
      const consumption = consumeLocally(
        {
          topicPartition,
          first: () => store.first,
          end: () => store.end,
          range: (from) => store.range(from),
          renew: () => queue.between(() => store.renew()),
          async appended(signal) {
            await once(appends, 'append', { signal }).catch(() => undefined)
          },
        },
        consume,
        logger,
      )
      consumptions.add(consumption)
      return consumption
    },
    async lag(next) {
      const at = await next(topicPartition())
      const from = at === null || at < store.first || at > store.end ? store.first : at
      return [{ topicPartition: topicPartition(), end: store.end, records: store.end - from }]
    },
    async trim(trim) {
      if (closed) throw new LogUnavailableError('the local log is closed')
      return await trimStore(store, queue, trim)
    },
    read(from, maxBytes) {
      if (closed) throw new LogUnavailableError('the local log is closed')
      const records: ConsumedRecord[] = []
      let bytes = 0
      for (const { offset, value } of store.range(from)) {
        bytes += value.length
        if (records.length > 0 && bytes > maxBytes) break
        records.push(decodeRecord(offset, value))
      }
      return records
    },
    stats: () => ({
      logId: store.logId,
      bytes: store.bytes(),
      maxBytes,
      records: store.end - store.first,
      firstOffset: store.first,
      endOffset: store.end,
    }),
    async close() {
      if (closed) return
      closed = true
      await Promise.all([...consumptions].map((consumption) => consumption.stop()))
      await queue.idle()
      await store.close()
    },
  }
}
