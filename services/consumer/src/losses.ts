import type { TopicPartition } from '@platform-events/event-log'
import type { Pool } from '@platform-events/postgres'
import { Counter, Gauge, type Logger, type Registry } from '@platform-events/runtime'
import { countOpenLosses, keepLoss, keepReplacedLogs, type LossEvent, type OutsideTheLog } from './loss-events.ts'

/** Keeps loss events, counts them, and says each once as an ERROR: somebody must look. */
export class Losses {
  readonly #pool: Pool
  readonly #logger: Logger
  readonly #found: Counter

  constructor(pool: Pool, logger: Logger, registry: Registry) {
    this.#pool = pool
    this.#logger = logger
    const registers = [registry]
    this.#found = new Counter({
      name: 'consumer_loss_events_total',
      help: 'Loss events that this process found: a stored offset and its log did not meet.',
      registers,
    })
    new Gauge({
      name: 'consumer_loss_events_open',
      help: 'Loss events that no operator has acknowledged.',
      registers,
      async collect() {
        await countOpenLosses(pool).then(
          (open) => this.set(open),
          () => undefined,
        )
      },
    })
  }

  /** A stored offset lies outside its log: keeps that, and moves the offset. */
  async outside(outside: OutsideTheLog): Promise<void> {
    const loss = await keepLoss(this.#pool, outside)
    if (loss !== null) this.#tell(loss)
  }

  /** Nothing is stored of a topic partition: if it belongs to a log made anew, the former one may have had more. */
  async newLog(topicPartition: TopicPartition): Promise<void> {
    for (const loss of await keepReplacedLogs(this.#pool, topicPartition)) this.#tell(loss)
  }

  /** What /readyz says of those that wait for an operator; empty when there are none. */
  async open(): Promise<string> {
    const open = await countOpenLosses(this.#pool)
    if (open === 0) return ''
    return `${open} loss ${open === 1 ? 'event' : 'events'} not acknowledged, see: npx platform-events losses`
  }

  #tell({ lossId, topic, partition, reason, stored, recordsLost }: LossEvent): void {
    this.#found.inc()
    this.#logger.error({ lossId, topic, partition, reason, stored, recordsLost }, 'loss event')
  }
}
