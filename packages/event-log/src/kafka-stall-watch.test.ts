import { expect, it } from 'vitest'
import { type Seen, StallWatch } from './kafka-stall-watch.ts'

const idle = (position: number, end: number): Seen => ({ partition: 0, position, busySince: null, end })

/** At which of so many looks a stall is told; the first is 1. */
function toldAt(looks: number, see: (look: number) => Seen[], watch = new StallWatch()): number[] {
  const told: number[] = []
  for (let look = 1; look <= looks; look += 1) if (watch.look(see(look), look * 1000) !== null) told.push(look)
  return told
}

it('tells a topic partition that has records and is not fetched', () => {
  expect(toldAt(5, () => [idle(7, 9), { ...idle(3, 3), partition: 1 }])[0]).toBe(4)
})

it('tells none that is at its end, or gets on', () => {
  expect(toldAt(50, () => [idle(9, 9)])).toEqual([])
  expect(toldAt(50, (look) => [idle(look, 100)])).toEqual([])
})

it('tells none behind a handler that takes long, but one beside handlers at work', () => {
  const other = { ...idle(0, 9), partition: 1 }
  expect(toldAt(50, () => [idle(7, 9), { ...other, busySince: 500 }])).toEqual([])
  expect(toldAt(5, (look) => [idle(7, 9), { ...other, busySince: look * 1000 - 100 }])[0]).toBe(4)
})

it('tells the same position ever more seldom, and another one at once', () => {
  const watch = new StallWatch()
  expect(toldAt(100, () => [idle(7, 8)], watch)).toEqual([4, 11, 24, 49, 98])
  expect(toldAt(4, () => [idle(8, 9)], watch)).toEqual([4])
})
