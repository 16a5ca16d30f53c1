import { expect, it } from 'vitest'
import { firstBatch } from './batch.ts'
import { memoryQueue, type QueuedEvent } from './event-queue.ts'

const event = (id: string, bytes = 10, clockCorrection = 0): QueuedEvent => ({
  id,
  json: '{}',
  bytes,
  stampedAt: 0,
  clockCorrection,
})

it('the memory queue drops the oldest and says which', () => {
  const queue = memoryQueue(2, 1000)
  expect([queue.append(event('a')), queue.append(event('b'))]).toEqual([[], []])
  expect(queue.append(event('c')).map(({ id }) => id)).toEqual(['a'])
  queue.remove(new Set(['b', 'gone']))
  expect(queue.waiting().map(({ id }) => id)).toEqual(['c'])
})

it('the memory queue holds no more bytes than its bound, however few events they are', () => {
  const queue = memoryQueue(1000, 100)
  const dropped = (next: QueuedEvent): string =>
    queue
      .append(next)
      .map(({ id }) => id)
      .join('')
  expect([dropped(event('a', 40)), dropped(event('b', 40)), dropped(event('c', 20))]).toEqual(['', '', ''])
  expect(dropped(event('d', 50))).toBe('ab')
  queue.remove(new Set(['c']))
  expect([dropped(event('e', 50)), dropped(event('f', 1))]).toEqual(['', 'd'])
})

it('a batch keeps within its limits, takes one event at least, and never mixes clocks', () => {
  const ids = (events: QueuedEvent[], maxEvents: number, maxBytes: number): string =>
    firstBatch(events, maxEvents, maxBytes)
      .map(({ id }) => id)
      .join('')
  const events = [event('a'), event('b'), event('c')]
  expect(ids(events, 2, 1000)).toBe('ab')
  expect(ids(events, 9, 22)).toBe('ab')
  expect(ids(events, 9, 21)).toBe('a')
  expect(ids(events, 9, 1)).toBe('a')
  expect(ids([event('a'), event('b', 10, 300_000)], 9, 1000)).toBe('a')
  expect(ids([event('a', 10, 300_000), event('b', 10, 300_000)], 9, 1000)).toBe('ab')
  expect(ids([], 9, 1000)).toBe('')
})
