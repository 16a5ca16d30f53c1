import { EventEmitter, once } from 'node:events'
import type {
  ConsumedRecord,
  ConsumeOptions,
  Consumption,
  EventLog,
  LogRecord,
  TopicPartition,
  TopicPartitionLag,
} from '@platform-events/event-log'

/**
 * An event log in memory, for tests of the consumer: several topic partitions, and any number of consumers that each get
 * everything, as after a rebalance that one of them has not noticed.
 */
export class ScriptedLog implements EventLog {
  readonly #partitions: ConsumedRecord[][]
  readonly #appended = new EventEmitter().setMaxListeners(0)
  readonly #logId: string

  constructor(partitions = 1, logId = 'scripted') {
    this.#partitions = Array.from({ length: partitions }, () => [])
    this.#logId = logId
  }

  topicPartition(partition: number): TopicPartition {
    return { logId: this.#logId, topic: 'platform.events.v1', partition }
  }

  /** By key, as Kafka does it. */
  async append(records: LogRecord[]): Promise<void> {
    for (const record of records) {
      const sum = [...record.key].reduce((hash, character) => (hash * 31 + character.codePointAt(0)!) >>> 0, 7)
      const partition = this.#partitions[sum % this.#partitions.length]!
      partition.push({ ...record, offset: partition.length })
    }
    this.#appended.emit('append')
  }

  async consume(options: ConsumeOptions): Promise<Consumption> {
    const stopping = new AbortController()
    const giveUp = new AbortController()
    const running = this.#partitions.map((_, partition) =>
      this.#deliver(partition, options, stopping.signal, giveUp.signal),
    )
    return {
      async stop() {
        stopping.abort()
        const timer = setTimeout(() => giveUp.abort(), 2000)
        await Promise.all(running)
        clearTimeout(timer)
      },
    }
  }

  async lag(next: (topicPartition: TopicPartition) => Promise<number | null>): Promise<TopicPartitionLag[]> {
    return await Promise.all(
      this.#partitions.map(async ({ length: end }, partition) => {
        const topicPartition = this.topicPartition(partition)
        return { topicPartition, end, records: end - ((await next(topicPartition)) ?? 0) }
      }),
    )
  }

  async close(): Promise<void> {}

  async #deliver(partition: number, options: ConsumeOptions, stopping: AbortSignal, signal: AbortSignal) {
    const topicPartition = this.topicPartition(partition)
    let stored: number | null | undefined
    while (!stopping.aborted) {
      try {
        if (stored === undefined) stored = await options.from(topicPartition)
        const records = take(this.#partitions[partition]!, stored ?? 0, options.maxEvents ?? 10_000)
        if (records.length === 0) {
          await once(this.#appended, 'append', { signal: stopping })
          continue
        }
        const nextOffset = records.at(-1)!.offset + 1
        stored = await options.onBatch({ topicPartition, storedOffset: stored, records, nextOffset, signal })
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
  }
}

function take(records: ConsumedRecord[], from: number, maxEvents: number): ConsumedRecord[] {
  const taken: ConsumedRecord[] = []
  let events = 0
  for (let at = from; at < records.length && (taken.length === 0 || events < maxEvents); at++) {
    taken.push(records[at]!)
    events += records[at]!.headers.events
  }
  return taken
}
