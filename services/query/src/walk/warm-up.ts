import { DAY_MICROS, type DaySlice } from '@platform-events/analytics'
import type { QuestionOf } from './questions.ts'

const STEPS = 4
const DAYS = 4
const ROWS = 12_000
const ROWS_OF_ACTOR = 4

/** A funnel over made-up days: what a worker has walked, its compiler has seen. */
export const WARM_UP: QuestionOf<'funnel'> = {
  walk: 'funnel',
  definition: {
    steps: Array.from({ length: STEPS }, (_, step) => {
      const name = String(step)
      return { name, eventTypes: [name], where: [], optional: false }
    }),
    ...{ fromMicros: 0, toMicros: DAYS * DAY_MICROS, windowMicros: DAY_MICROS, mode: 'ordered', exclude: [] },
  },
  ...{ breakdown: undefined, limit: 1, trend: undefined, nowMicros: 0 },
}

/** Each actor does something at random every now and then. */
export function warmUpSlices(): DaySlice[] {
  return Array.from({ length: DAYS }, (_, day) => ({
    ...{ day, rows: ROWS, types: Array.from({ length: STEPS + 2 }, (_, type) => String(type)), columns: new Map() },
    actorNos: filled(Uint32Array, ROWS / ROWS_OF_ACTOR, (at) => at + 1),
    actorEnds: filled(Uint32Array, ROWS / ROWS_OF_ACTOR, (at) => (at + 1) * ROWS_OF_ACTOR),
    ms: filled(Uint32Array, ROWS, (row) => (row % ROWS_OF_ACTOR) * 1e6 + row),
    us: filled(Uint16Array, ROWS, (row) => row % 1000),
    typeCodes: filled(Uint8Array, ROWS, (row) => (Math.imul(row + day * ROWS, 0x9e3779b1) >>> 24) % (STEPS + 2)),
  }))
}

function filled<T extends Uint8Array | Uint16Array | Uint32Array>(
  type: { new (buffer: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number },
  length: number,
  valueAt: (at: number) => number,
): T {
  const values = new type(new SharedArrayBuffer(length * type.BYTES_PER_ELEMENT))
  for (let at = 0; at < length; at++) values[at] = valueAt(at)
  return values
}
