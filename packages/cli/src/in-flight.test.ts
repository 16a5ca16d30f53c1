import { randomUUID } from 'node:crypto'
import type { RecordHeaders } from '@platform-events/event-log'
import { describe, expect, it } from 'vitest'
import { type CollectorCount, InFlight } from './in-flight.ts'

const DAY = '2026-11-24'
const A = randomUUID()
const B = randomUUID()
const NOBODY = '00000000-0000-0000-0000-000000000000'

/** As the collector told itself (-1), or as loaded from a topic partition; of nobody's a count. */
const count = (collector_id: string, topic_partition: number, number: number, settled = 0): CollectorCount => ({
  ...{ day: DAY, source_id: 1, collector_id, topic_partition, settled },
  ...(topic_partition === -1 || collector_id === NOBODY
    ? { accepted: number, reached: 0 }
    : { accepted: 0, reached: number }),
})

const record = (collector_id: string, accepted: number, events: number, more: Partial<RecordHeaders> = {}) => ({
  ...{ schema: '1' as const, source_id: 1, batch_id: '', received_at: `${DAY}T23:59:59.999Z`, events },
  ...{ collector_id, accepted, ...more },
})

function look(counts: CollectorCount[], records: [RecordHeaders, number][]) {
  const inFlight = new InFlight(counts)
  for (const [headers, partition] of records) inFlight.see(headers, partition)
  return inFlight.counts()
}

describe('what is in flight', () => {
  it('lies in the log, over all topic partitions', () => {
    const counts = [count(A, -1, 100), count(A, 0, 70, 40), count(A, 1, 60, 30)]
    const found = look(counts, [
      [record(A, 80, 10), 0],
      [record(A, 100, 8), 0],
      [record(A, 92, 12), 1],
    ])
    expect(found).toEqual([{ day: DAY, source_id: 1, counted: 30, log: 30, unseen: 0, twice: 0 }])
  })

  it('is no more than what the books knew when they were read, whatever came since', () => {
    const found = look(
      [count(A, -1, 20), count(A, 0, 10, 10)],
      [
        [record(A, 20, 10), 0],
        [record(A, 30, 10), 0],
        [record(B, 5, 5), 1],
        [record(A, 3, 3, { received_at: '2026-11-25T00:00:00.000Z' }), 1],
      ],
    )
    expect(found).toMatchObject([{ counted: 10, log: 10, unseen: 0, twice: 0 }])
  })

  it('is counted once where a record is in the log twice: behind the stored offset, or before and behind it', () => {
    const found = look(
      [count(A, -1, 30), count(A, 0, 10, 10)],
      [
        [record(A, 5, 5), 0],
        [record(A, 10, 5), 0],
        [record(A, 20, 10), 0],
        [record(A, 30, 10), 0],
        [record(A, 20, 10), 0],
        [record(A, 30, 10), 0],
      ],
    )
    expect(found).toMatchObject([{ counted: 20, log: 20, unseen: 0, twice: 0 }])
  })

  it('is unseen where the log does not have it, of each collector by itself', () => {
    const found = look(
      [count(A, -1, 20), count(B, -1, 20)],
      [
        [record(A, 20, 10), 0],
        [record(B, 10, 10), 0],
        [record(B, 20, 10), 0],
        // In another topic partition since their number grew: there twice, and nobody can tell.
        [record(B, 20, 10), 1],
      ],
    )
    expect(found).toEqual([{ day: DAY, source_id: 1, counted: 40, log: 40, unseen: 10, twice: 10 }])
  })

  it('is nothing of a group of which only a part became durable', () => {
    const part = { ...count(A, 0, 120, 110), accepted: 100 }
    expect(look([part], [])).toMatchObject([{ counted: 0, unseen: 0, twice: 0 }])
    // The other part comes after all.
    expect(look([part], [[record(A, 110, 10), 1]])).toMatchObject([{ counted: 0, unseen: 0, twice: 0 }])
  })

  it('is nothing of what no collector numbered', () => {
    const counts = [count(NOBODY, 0, 7, 7), count(NOBODY, -3, 5, 5)]
    expect(look(counts, [[record(A, 0, 9, { collector_id: undefined as never }), 0]])).toMatchObject([
      { counted: 0, log: 0, unseen: 0, twice: 0 },
    ])
    expect(look([count(NOBODY, 0, 7, 6)], [])).toMatchObject([{ counted: 1, unseen: 1 }])
    expect(look([count(A, 0, 7, 8)], [])).toMatchObject([{ counted: 0, twice: 1 }])
  })
})
