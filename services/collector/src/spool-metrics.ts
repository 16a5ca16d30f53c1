import type { CollectingLog } from '@platform-events/event-log'
import { Counter, Gauge, type Registry } from '@platform-events/runtime'

/** What waits on this disk for Kafka, as figures; none where the log is local. */
export function spoolMetrics(registry: Registry, { spool }: Pick<CollectingLog, 'spool'>): void {
  if (spool === undefined) return
  const registers = [registry]
  new Gauge({
    name: 'collector_spooled_events',
    help: 'Events acknowledged that wait on this disk for Kafka.',
    registers,
    collect() {
      this.set(spool().events)
    },
  })
  new Gauge({
    name: 'collector_spool_bytes',
    help: 'Bytes that the spool holds on the disk.',
    registers,
    collect() {
      this.set(spool().bytes)
    },
  })
  new Counter({
    name: 'collector_spool_drained_events_total',
    help: 'Events moved from the spool to Kafka.',
    registers,
    collect() {
      this.reset()
      this.inc(spool().drainedEvents)
    },
  })
}
