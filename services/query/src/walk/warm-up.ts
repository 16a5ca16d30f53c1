import { DAY_MICROS, type DaySlice, decodeSegment, encodeSegment } from '@platform-events/analytics'
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

/** Each actor does something at random every now and then. Encoded and decoded as if it came from Postgres: that wants a compiler, too. */
export function warmUpSlices(): DaySlice[] {
  return Array.from({ length: DAYS }, (_, day) => {
    const bytes = encodeSegment({
      ...{ day, rows: ROWS, types: Array.from({ length: STEPS + 2 }, (_, type) => String(type)), columns: new Map() },
      actorNos: Uint32Array.from({ length: ROWS / ROWS_OF_ACTOR }, (_, at) => at + 1),
      actorEnds: Uint32Array.from({ length: ROWS / ROWS_OF_ACTOR }, (_, at) => (at + 1) * ROWS_OF_ACTOR),
      ms: Uint32Array.from({ length: ROWS }, (_, row) => (row % ROWS_OF_ACTOR) * 1e6 + row),
      us: Uint16Array.from({ length: ROWS }, (_, row) => row % 1000),
      typeCodes: Uint8Array.from(
        { length: ROWS },
        (_, row) => (Math.imul(row + day * ROWS, 0x9e3779b1) >>> 24) % (STEPS + 2),
      ),
    })
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
    shared.set(bytes)
    return decodeSegment(shared)
  })
}
