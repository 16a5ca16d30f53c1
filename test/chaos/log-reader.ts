import { randomUUID } from 'node:crypto'
import type { EventLog } from '@platform-events/event-log'

/** Reads all that a log holds now, each topic partition in order. */
export async function readWhole(log: EventLog, take: (topicPartition: number, value: Buffer) => void): Promise<void> {
  const ends = new Map<number, number>()
  for (const { topicPartition, end } of await log.lag(async () => null))
    if (end > 0) ends.set(topicPartition.partition, end)
  if (ends.size === 0) return
  let allRead: () => void = () => undefined
  const reading = new Promise<void>((resolve) => {
    allRead = resolve
  })
  const consumption = await log.consume({
    group: `chaos-${randomUUID()}`,
    from: async () => null,
    async onBatch({ topicPartition: { partition }, records, nextOffset }) {
      for (const { value } of records) take(partition, value)
      if (nextOffset >= (ends.get(partition) ?? 0)) ends.delete(partition)
      if (ends.size === 0) allRead()
      return nextOffset
    },
  })
  await reading
  await consumption.stop()
}
