import type { DaySlice } from '@platform-events/analytics'
import { expect, it } from 'vitest'
import { collides } from './late-rows.ts'

/** [actor, milliseconds, microseconds beside them], sorted. */
function sliceOf(rows: [actorNo: number, ms: number, us: number][]): DaySlice {
  const actorNos = [...new Set(rows.map(([actorNo]) => actorNo))]
  return {
    ...{ day: 20_000, rows: rows.length, types: ['A'], columns: new Map(), typeCodes: new Uint8Array(rows.length) },
    actorNos: Uint32Array.from(actorNos),
    actorEnds: Uint32Array.from(actorNos, (no) => rows.findLastIndex(([actorNo]) => actorNo === no) + 1),
    ms: Uint32Array.from(rows, ([, ms]) => ms),
    us: Uint16Array.from(rows, ([, , us]) => us),
  }
}

it('tells a row of the same actor and microsecond, wherever among the rows it is', () => {
  const rows: [number, number, number][] = [3, 5, 9].flatMap((actorNo) =>
    [0, 1, 7, 8].flatMap((ms) => [0, 4, 999].map((us): [number, number, number] => [actorNo, ms, us])),
  )
  const day = sliceOf(rows)
  for (const row of rows)
    expect(collides(sliceOf([[3, 5, 5], row].sort((a, b) => a[0]! - b[0]!) as never), day)).toBe(true)
  for (const actorNo of [0, 3, 4, 9, 10])
    for (const ms of [0, 2, 8, 9]) expect(collides(sliceOf([[actorNo, ms, 5]]), day)).toBe(false)
})

it('does so at once among a million rows', () => {
  const of = (many: number): DaySlice =>
    sliceOf(Array.from({ length: many }, (_, at) => [0, at, many === 10_000 ? 1 : 0]))
  const [late, day] = [of(10_000), of(1_000_000)]
  const began = performance.now()
  expect(collides(late, day)).toBe(false)
  expect(performance.now() - began).toBeLessThan(1000)
})
