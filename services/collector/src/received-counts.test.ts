import { expect, it } from 'vitest'
import type { Ingested } from './ingest.ts'
import { ReceivedCounts } from './received-counts.ts'

it('keeps 50,000 numbers of rejected events a day, and counts the others all the same', () => {
  const counts = new ReceivedCounts()
  const numbers = Array.from({ length: 20_000 }, (_, seq) => ({ stream: 's', seq }))
  const result = {
    accepted: 0,
    duplicates: 0,
    rejected: numbers.map((_, index) => ({ index, code: 'invalid_event', message: '' })),
    rejectedNumbers: numbers,
  } as unknown as Ingested
  for (let request = 0; request < 3; request++) counts.add(1, '2026-03-01T12:00:00.000Z', result)
  const news = counts.takeNews()
  expect(news.numbers).toHaveLength(50_000)
  expect(news.rejected).toMatchObject([{ day: '2026-03-01', code: 'invalid_event', n: 60_000 }])
  counts.add(1, '2026-03-02T00:00:00.000Z', result)
  expect(counts.takeNews().numbers).toHaveLength(20_000)
})
