import { createLogger } from '@platform-events/runtime'
import type { EachBatchPayload } from 'kafkajs'
import { expect, it } from 'vitest'
import { PartitionDelivery } from './kafka-partition.ts'
import { toMessage } from './kafka-record.ts'

const record = {
  key: 'a',
  value: Buffer.from('{}\n'),
  headers: { schema: '1', source_id: 1, batch_id: 'b', received_at: '2026-03-01T12:00:00.000Z', events: 1 } as const,
}

/** A topic partition of ten records, stored up to 4, and what it did. */
function delivery() {
  const handed: number[][] = []
  const seeks: number[] = []
  const resolved: string[] = []
  const committed: unknown[] = []
  const partition = new PartitionDelivery(
    {
      topicPartition: { logId: 'log', topic: 'topic', partition: 0 },
      maxEvents: 2,
      logger: createLogger({ name: 'test', level: 'silent' }),
      watermarks: async () => ({ low: 0, high: 10 }),
      confirmIdentity: async () => undefined,
      seek: (offset) => seeks.push(offset),
      consume: {
        group: 'group',
        from: async () => 4,
        async onBatch({ records, nextOffset }) {
          handed.push(records.map(({ offset }) => offset))
          return nextOffset
        },
      },
    },
    undefined,
  )
  /** A batch as kafkajs hands it out: fetched at an offset, up to the end. */
  const deliver = (fetchedOffset: number): Promise<void> => {
    const offsets = Array.from({ length: 10 - fetchedOffset }, (_, index) => String(fetchedOffset + index))
    const messages = offsets.map((offset) => ({ ...toMessage(record), offset }))
    const payload = {
      batch: { messages, fetchedOffset: String(fetchedOffset), lastOffset: () => '9' },
      resolveOffset: (offset: string) => resolved.push(offset),
      commitOffsetsIfNecessary: async (offsets: unknown) => void committed.push(offsets),
    }
    return partition.deliver(payload as unknown as EachBatchPayload)
  }
  return { partition, deliver, handed, seeks, resolved, committed }
}

it('resolves in ascending order, and names what it commits: without a name kafkajs commits nothing', async () => {
  const { deliver, handed, resolved, committed } = delivery()
  await deliver(4)
  expect(handed).toEqual([
    [4, 5],
    [6, 7],
    [8, 9],
  ])
  expect(resolved).toEqual(['5', '7', '9'])
  expect(committed).toEqual([{ topics: [{ topic: 'topic', partitions: [{ partition: 0, offset: '10' }] }] }])
})

it('hands on nothing that was fetched elsewhere than at the stored offset, but seeks there', async () => {
  const { deliver, handed, seeks, resolved } = delivery()
  for (const offset of [0, 9]) await deliver(offset)
  expect(handed).toEqual([])
  expect(resolved).toEqual([])
  expect(seeks).toEqual([4, 4, 4])
})

it('hands on nothing once the topic partition is lost, though kafkajs still hands out batches of it', async () => {
  const { partition, deliver, handed, resolved, committed } = delivery()
  await partition.settled()
  partition.abort()
  await deliver(4)
  expect([handed, resolved, committed]).toEqual([[], [], []])
})
