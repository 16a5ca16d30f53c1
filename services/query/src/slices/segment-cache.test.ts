import type { DaySlice } from '@platform-events/analytics'
import { expect, it } from 'vitest'
import { segmentCache } from './segment-cache.ts'

const KB = 1024

/** A day whose arrays lie in so many bytes. */
function sliceOf(day: number, bytes: number): DaySlice {
  const ms = new Uint32Array(new SharedArrayBuffer(bytes))
  return { day, ms } as DaySlice
}

it('holds no more bytes than its bound; what was asked for the longest ago goes first', () => {
  const cache = segmentCache(100 * KB)
  for (const day of [1, 2, 3]) cache.keepSlice('7', sliceOf(day, 30 * KB))
  cache.slice(1, '7')
  cache.keepSlice('7', sliceOf(4, 30 * KB))
  expect([1, 2, 3, 4].map((day) => cache.slice(day, '7') !== undefined)).toEqual([true, false, true, true])
  expect(cache.bytes).toBeLessThanOrEqual(100 * KB)
})

it('keeps nothing that is larger than all of it', () => {
  const cache = segmentCache(10 * KB)
  cache.keepSlice('7', sliceOf(1, 20 * KB))
  expect([cache.slice(1, '7'), cache.bytes]).toEqual([undefined, 0])
})

it('finds nothing of a day under another version', () => {
  const cache = segmentCache(100 * KB)
  cache.keepSlice('7', sliceOf(1, KB))
  cache.keepColumn(1, '7', 'city', 'absent')
  expect([cache.slice(1, '8'), cache.column(1, '8', 'city')]).toEqual([undefined, undefined])
})

it('counts the values of a column, too', () => {
  const cache = segmentCache(100 * KB)
  cache.keepColumn(1, '7', 'city', { values: ['x'.repeat(60 * KB)], codes: new Uint8Array(8) })
  expect([cache.column(1, '7', 'city'), cache.bytes]).toEqual([undefined, 0])
})
