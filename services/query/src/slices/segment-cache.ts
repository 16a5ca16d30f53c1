import type { DaySlice, PropertyColumn } from '@platform-events/analytics'
import type { OnDamaged } from './damaged-segments.ts'

/** What is known of a property of a segment: its codes, or that no event of the day has it, or that it must be read raw. */
export type KnownColumn = PropertyColumn | 'absent' | 'not kept'

export interface SegmentCache {
  slice(day: number, version: string): DaySlice | undefined
  column(day: number, version: string, property: string): KnownColumn | undefined
  keepSlice(version: string, slice: DaySlice): void
  keepColumn(day: number, version: string, property: string, column: KnownColumn): void
  /** For what cannot be kept. */
  readonly onDamaged: OnDamaged
  readonly bytes: number
}

interface Kept {
  value: DaySlice | KnownColumn
  bytes: number
}

/** What an entry costs besides its arrays: objects, views, its key. */
const ENTRY_BYTES = 1000

/**
 * Closed days as they were decoded, over shared memory, up to so many bytes; what was asked for the longest ago goes first. A day that
 * is built again has another version, under which nothing old is found.
 */
export function segmentCache(maxBytes: number, onDamaged: OnDamaged = () => undefined): SegmentCache {
  /** Least recently used first. */
  const kept = new Map<string, Kept>()
  let bytes = 0

  function find(key: string): Kept['value'] | undefined {
    const found = kept.get(key)
    if (found === undefined) return undefined
    kept.delete(key)
    kept.set(key, found)
    return found.value
  }

  function keep(key: string, value: Kept['value'], size: number): void {
    forget(key)
    kept.set(key, { value, bytes: size + ENTRY_BYTES })
    bytes += size + ENTRY_BYTES
    for (const oldest of kept.keys()) {
      if (bytes <= maxBytes) break
      forget(oldest)
    }
  }

  function forget(key: string): void {
    bytes -= kept.get(key)?.bytes ?? 0
    kept.delete(key)
  }

  return {
    slice: (day, version) => find(`${day}/${version}`) as DaySlice | undefined,
    column: (day, version, property) => find(`${day}/${version}/${property}`) as KnownColumn | undefined,
    keepSlice: (version, slice) => keep(`${slice.day}/${version}`, slice, slice.ms.buffer.byteLength),
    keepColumn: (day, version, property, column) =>
      keep(`${day}/${version}/${property}`, column, typeof column === 'string' ? 0 : columnBytes(column)),
    onDamaged,
    get bytes() {
      return bytes
    },
  }
}

/** Of values that days have together, a day's share. */
function columnBytes({ values, codes, numberOfCode }: PropertyColumn): number {
  const texts = values.reduce((sum, value) => sum + 2 * value.length + 24, 0)
  if (numberOfCode === undefined) return codes.byteLength + texts
  return codes.byteLength + numberOfCode.byteLength + Math.round(texts * (numberOfCode.length / (values.length + 1)))
}
