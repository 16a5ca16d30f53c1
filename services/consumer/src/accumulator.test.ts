import type { RecordBatch } from '@platform-events/event-log'
import { describe, expect, it, vi } from 'vitest'
import { Accumulator, type AccumulatorOptions } from './accumulator.ts'
import { ActorKeys } from './actor-key.ts'
import { PreparedBatch } from './prepared-batch.ts'

describe('Accumulator', () => {
  it('loads at once when every topic partition waits', async () => {
    const { add, loads } = accumulator({ topicPartitions: () => 2, lingerMs: 60_000 })
    const first = add(batch(0, 3))
    expect(loads).toEqual([])
    const second = add(batch(1, 4))
    expect(await Promise.all([first, second])).toEqual([1, 1])
    expect(loads).toEqual([[0, 1]])
  })

  it('loads at once what fills a load, and leaves the rest for the next', async () => {
    const { add, loads, release } = accumulator({ topicPartitions: () => 9, maxEvents: 10, lingerMs: 5 }, true)
    const all = [add(batch(0, 6)), add(batch(1, 6)), add(batch(2, 1))]
    expect(loads).toEqual([[0, 1]])
    release()
    await Promise.all(all.slice(0, 2))
    await vi.waitFor(() => expect(loads).toEqual([[0, 1], [2]]))
    release()
    await all[2]
  })

  it('loads what has lingered', async () => {
    const { add, loads } = accumulator({ topicPartitions: () => 2, lingerMs: 5 })
    await add(batch(0, 1))
    expect(loads).toEqual([[0]])
  })

  it('leaves out a batch whose topic partition is lost', async () => {
    const lost = new AbortController()
    const { add, loads } = accumulator({ topicPartitions: () => 3, lingerMs: 60_000 })
    const gone = add(batch(0, 1, lost.signal))
    const stays = [add(batch(1, 1))]
    lost.abort()
    await expect(gone).rejects.toThrow('aborted')
    await expect(add(batch(0, 1, lost.signal))).rejects.toThrow('aborted')
    stays.push(add(batch(2, 1)), add(batch(3, 1)))
    await Promise.all(stays)
    expect(loads).toEqual([[1, 2, 3]])
  })

  it('rejects all batches of a load that fails', async () => {
    const { add } = accumulator({
      topicPartitions: () => 2,
      load: async () => {
        throw new Error('no')
      },
    })
    const both = [add(batch(0, 1)), add(batch(1, 1))]
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })
})

/** Loads resolve at once, or when released; `loads` has the partitions of each. */
function accumulator(options: Partial<AccumulatorOptions>, held = false) {
  const loads: number[][] = []
  let release = (): void => undefined
  const accumulator = new Accumulator({
    maxEvents: 1000,
    lingerMs: 1,
    topicPartitions: () => 1,
    async load(batches) {
      loads.push(batches.map((prepared) => prepared.batch.topicPartition.partition))
      if (held) {
        await new Promise<void>((resolve) => {
          release = resolve
        })
      }
      return new Map(batches.map((prepared) => [prepared, prepared.batch.nextOffset]))
    },
    ...options,
  })
  return {
    loads,
    release: () => release(),
    add: (batch: RecordBatch) => accumulator.add(new PreparedBatch(batch, new ActorKeys())),
  }
}

function batch(partition: number, events: number, signal = new AbortController().signal): RecordBatch {
  return {
    topicPartition: { logId: 'log', topic: 'topic', partition },
    storedOffset: null,
    records: [
      {
        key: 'k',
        offset: 0,
        value: Buffer.from(''),
        headers: { schema: '1', source_id: 1, batch_id: '', received_at: '', events },
      },
    ],
    nextOffset: 1,
    signal,
  }
}
