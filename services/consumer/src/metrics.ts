import { Counter, Gauge, Histogram, type Registry } from '@platform-events/runtime'

export type RetryClass = 'retry' | 'ours' | 'no_partition' | 'frozen' | 'other'

export interface ConsumerMetrics {
  rows: Counter<'outcome'>
  batchSeconds: Histogram
  freshnessSeconds: Histogram
  fenced: Counter
  retries: Counter<'class'>
}

/** @param lag asked at each scrape; rejects when nobody knows */
export function consumerMetrics(registry: Registry, lag: () => Promise<number>): ConsumerMetrics {
  const registers = [registry]
  new Gauge({
    name: 'consumer_lag_records',
    help: 'Records in the event log that are not stored yet.',
    registers,
    async collect() {
      await lag().then(
        (records) => this.set(records),
        () => undefined,
      )
    },
  })
  return {
    rows: new Counter({
      name: 'consumer_rows_total',
      help: 'Events by what became of them.',
      labelNames: ['outcome'],
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'consumer_batch_seconds',
      help: 'How long one load took, from the first statement to the commit.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    freshnessSeconds: new Histogram({
      name: 'consumer_freshness_seconds',
      help: 'From the receipt of the oldest event of a load to its commit.',
      buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600],
      registers,
    }),
    fenced: new Counter({
      name: 'consumer_fenced_total',
      help: 'Batches that somebody else had stored.',
      registers,
    }),
    retries: new Counter({
      name: 'consumer_retries_total',
      help: 'Loads that failed and were tried again, by the class of their error.',
      labelNames: ['class'],
      registers,
    }),
  }
}

/** @param unpublished asked at each scrape; rejects when nobody knows. @returns counts those published */
export function deadLetterMetrics(registry: Registry, unpublished: () => Promise<number>): Counter {
  const registers = [registry]
  new Gauge({
    name: 'consumer_dead_letters_unpublished',
    help: 'Dead letters that are not on their topic yet; they are in Postgres.',
    registers,
    async collect() {
      await unpublished().then(
        (letters) => this.set(letters),
        () => undefined,
      )
    },
  })
  return new Counter({
    name: 'consumer_dead_letters_published_total',
    help: 'Dead letters that this process published on their topic.',
    registers,
  })
}
