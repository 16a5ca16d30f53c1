import { Counter, Gauge, Histogram, type Registry } from '@platform-events/runtime'
import type { AskerQueue } from './asker-queue.ts'
import type { SegmentCache } from './slices/segment-cache.ts'

export interface QueryMetrics {
  /** Runs a query and takes its time, failed or not. `query` is one of a closed set. */
  timed<T>(query: string, run: () => Promise<T>): Promise<T>
  tailSubscribers: Gauge
  tailDropped: Counter
}

/** The query service's own figures. */
export function queryMetrics(registry: Registry): QueryMetrics {
  const registers = [registry]
  const duration = new Histogram({
    name: 'query_duration_seconds',
    help: 'Time of an analytics query, from the request to its answer',
    labelNames: ['query', 'outcome'],
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 15],
    registers,
  })
  return {
    async timed(query, run) {
      const done = duration.startTimer({ query })
      try {
        const answer = await run()
        done({ outcome: 'ok' })
        return answer
      } catch (error) {
        done({ outcome: 'error' })
        throw error
      }
    },
    tailSubscribers: new Gauge({ name: 'query_tail_subscribers', help: 'Open live tails', registers }),
    tailDropped: new Counter({
      name: 'query_tail_dropped_total',
      help: 'Live tails that were closed because they read too slowly',
      registers,
    }),
  }
}

/** How the analyses fare: who waits, what is kept. */
export function analysisMetrics(
  registry: Registry,
  { queue, cache }: { queue: AskerQueue; cache: SegmentCache },
): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value())
      },
    })
  }
  gauge('query_analyses_waiting', 'Questions that wait for their turn', () => queue.waiting)
  gauge('query_analyses_running', 'Questions that are being answered', () => queue.running)
  gauge('query_segment_cache_bytes', 'What decoded closed days take in memory', () => cache.bytes)
}
