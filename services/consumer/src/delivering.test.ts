import { expect, it } from 'vitest'
import { Delivering } from './delivering.ts'

const batch = (partition: number, signal: AbortSignal) => ({
  topicPartition: { logId: 'log', topic: 'topic', partition },
  signal,
})

it('counts a topic partition from its first batch until it is lost, also when it was assigned anew meanwhile', () => {
  const delivering = new Delivering()
  const [first, second, other] = [new AbortController(), new AbortController(), new AbortController()]
  delivering.see(batch(0, first.signal))
  delivering.see(batch(0, first.signal))
  delivering.see(batch(1, other.signal))
  expect(delivering.count).toBe(2)
  delivering.see(batch(0, second.signal))
  first.abort()
  expect(delivering.count).toBe(2)
  second.abort()
  expect(delivering.count).toBe(1)
  delivering.see(batch(0, second.signal))
  expect(delivering.count).toBe(1)
})
