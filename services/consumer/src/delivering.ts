import type { RecordBatch } from '@platform-events/event-log'

/** The topic partitions that bring batches, from the first batch of each until it is lost. */
export class Delivering {
  readonly #signals = new Map<string, AbortSignal>()

  get count(): number {
    return this.#signals.size
  }

  /** Call for every batch. Each assignment of a topic partition has a signal of its own. */
  see({ topicPartition: { logId, topic, partition }, signal }: Pick<RecordBatch, 'topicPartition' | 'signal'>): void {
    const name = JSON.stringify([logId, topic, partition])
    if (signal.aborted || this.#signals.get(name) === signal) return
    this.#signals.set(name, signal)
    signal.addEventListener('abort', () => {
      if (this.#signals.get(name) === signal) this.#signals.delete(name)
    })
  }
}
