import type { SegmentFormatError } from '@platform-events/analytics'
import { Counter, type Logger, type Registry } from '@platform-events/runtime'
import { dateOfDay } from './day.ts'

/** Says that bytes of a day's segment are none that can be read. */
export type OnDamaged = (day: number, version: string, error: SegmentFormatError) => void

/**
 * Tells operators of segments that are damaged, or of a format that this version does not know, each once: nobody else would notice, since
 * their days are read raw, only slower.
 */
export function damagedSegments({ logger, registry }: { logger: Logger; registry: Registry }): OnDamaged {
  const counter = new Counter({
    name: 'query_damaged_segments_total',
    help: 'Segments found damaged, or of a format that this version does not know; their days are read raw',
    registers: [registry],
  })
  /** The version that was told of last, by day. */
  const told = new Map<number, string>()
  return (day, version, error) => {
    if (told.get(day) === version) return
    told.set(day, version)
    counter.inc()
    logger.warn(
      { day: dateOfDay(day), version, err: error },
      "a day's segment cannot be read, and the day is read raw; delete its row in events_internal.event_segments, and the next run of retention builds it again",
    )
  }
}
