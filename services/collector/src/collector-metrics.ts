import { Counter, Gauge, Histogram, type Registry } from '@platform-events/runtime'

export type CollectorMetrics = ReturnType<typeof collectorMetrics>

/** What the collector counts. Labels are closed sets: never anything from an event. */
export function collectorMetrics(registry: Registry, inFlightBytes: () => number) {
  new Gauge({
    name: 'collector_inflight_bytes',
    help: 'Bytes that requests hold: bodies being read, appends pending.',
    registers: [registry],
    collect() {
      this.set(inFlightBytes())
    },
  })
  return {
    events: new Counter({
      name: 'collector_events_total',
      help: 'Events received, by what became of them; those refused went down with their whole request (429, 503).',
      labelNames: ['outcome'] as const,
      registers: [registry],
    }),
    rejected: new Counter({
      name: 'collector_rejected_events_total',
      help: 'Events rejected, by the code of the verdict.',
      labelNames: ['code'] as const,
      registers: [registry],
    }),
    userIdsDropped: new Counter({
      name: 'collector_user_ids_dropped_total',
      help: 'user_ids taken away because the source may not claim them.',
      registers: [registry],
    }),
    cleanedStrings: new Counter({
      name: 'collector_cleaned_strings_total',
      help: 'Strings from which NUL characters or lone surrogates were taken.',
      registers: [registry],
    }),
    seconds: new Histogram({
      name: 'collector_request_seconds',
      help: 'From the first byte of a request to its answer, by status.',
      labelNames: ['status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers: [registry],
    }),
  }
}
