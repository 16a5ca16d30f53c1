import type { RecordHeaders } from '@platform-events/event-log'

/** How far a collector's numbers of one source and day have come in one topic partition (-1: as it told itself). */
export interface CollectorCount {
  /** YYYY-MM-DD. */
  day: string
  source_id: number
  collector_id: string
  topic_partition: number
  /** Up to which number events are known to be durable; where no collector numbered, a count. */
  accepted: number
  /** The highest number loaded from the topic partition. */
  reached: number
  /** Of how many events the ledger says what became of them. */
  settled: number
}

/** Of a day and source: what the books have in flight, how much of it the log holds, and how much it does not. */
export interface InFlightCount {
  day: string
  source_id: number
  counted: number
  log: number
  /** Accepted and settled nowhere, and not in the log: in a spool, or lost. */
  unseen: number
  /** In the log, or settled, more often than accepted. */
  twice: number
}

/** Stands for the collector of events that none numbered: see services/consumer/src/delivery-counts.ts. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * Looks for the events in flight in the log itself.
 *
 * The counts are of one moment, and the log is read after it, from the offsets of that moment on. Up to the number that the counts know
 * to be durable (`AcceptedCounts`) every event is settled in them, or in the log, or in a spool, however much came in since; higher
 * numbers are of no interest here, but that some of the group behind may be settled already. A record whose number its topic
 * partition has reached is there a second time.
 */
export class InFlight {
  readonly #collectors = new Map<string, Collector>()

  constructor(counts: CollectorCount[]) {
    for (const { day, source_id, collector_id, topic_partition, accepted, reached, settled } of counts) {
      const collector = this.#collectors.get(keyOf(day, source_id, collector_id)) ?? {
        ...{ day, source_id, durable: 0, highest: 0, settled: 0, log: 0 },
        reached: new Map(),
      }
      this.#collectors.set(keyOf(day, source_id, collector_id), collector)
      collector.durable = collector_id === NOBODY ? collector.durable + accepted : Math.max(collector.durable, accepted)
      collector.highest = Math.max(collector.highest, collector.durable, reached)
      collector.settled += settled
      collector.reached.set(topic_partition, reached)
    }
  }

  /** Takes a record behind the stored offset; those of a topic partition in their order. */
  see({ source_id, received_at, collector_id, accepted, events }: RecordHeaders, topicPartition: number): void {
    if (collector_id === undefined || accepted === undefined) return
    const collector = this.#collectors.get(keyOf(received_at.slice(0, 10), source_id, collector_id.toLowerCase()))
    if (collector === undefined || accepted > collector.durable) return
    if (accepted <= (collector.reached.get(topicPartition) ?? 0)) return
    collector.reached.set(topicPartition, accepted)
    collector.log += events
  }

  /** By day and source. */
  counts(): InFlightCount[] {
    const counts = new Map<string, InFlightCount>()
    for (const { day, source_id, durable, highest, settled, log } of this.#collectors.values()) {
      const key = keyOf(day, source_id, '')
      const count = counts.get(key) ?? { day, source_id, counted: 0, log: 0, unseen: 0, twice: 0 }
      counts.set(key, count)
      count.counted += Math.max(durable - settled, 0)
      count.log += log
      count.unseen += Math.max(durable - settled - log, 0)
      count.twice += Math.max(settled + log - highest, 0)
    }
    return [...counts.values()]
  }
}

interface Collector {
  day: string
  source_id: number
  durable: number
  /** The highest number seen. */
  highest: number
  settled: number
  /** Events found in the log. */
  log: number
  /** By topic partition. */
  reached: Map<number, number>
}

function keyOf(day: string, sourceId: number, collectorId: string): string {
  return `${day} ${sourceId} ${collectorId}`
}
