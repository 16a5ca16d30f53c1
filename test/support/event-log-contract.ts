import { randomUUID } from 'node:crypto'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type ConsumedRecord,
  type Consumption,
  type EventLog,
  type LogRecord,
  LogUnavailableError,
  type RecordBatch,
  type TopicPartition,
} from '../../packages/event-log/src/event-log.ts'
import { type EventLogSettings, readEventLog } from '../../packages/event-log/src/open.ts'
import { CONSUMED_BEFORE_KILL, MemoryStore, makeRecord, nameOf, startChild } from './event-log-subject.ts'

const { signal } = new AbortController()
const logger = createLogger({ name: 'test', level: 'silent' })

/** A log of its own for one test. */
export interface ContractSubject {
  /** Opens the log; called again after a close or a kill, it is the same one. */
  open(): Promise<EventLog>
  /** What a child process opens the same log with. */
  settings: EventLogSettings
  /** Puts a new, empty log in the place of this one. */
  replace(): Promise<void>
  remove(): Promise<void>
}

/** What every adapter of the event log must do, whatever it stands on. */
export function eventLogContract(name: string, create: () => Promise<ContractSubject>): void {
  describe(`${name} keeps the contract of the event log`, () => {
    let subject: ContractSubject
    let log: EventLog
    let group: string
    const consumptions: Consumption[] = []
    // Kafka waits 15 s for a member that was killed before it gives its topic partitions away.
    const within = { timeout: 40_000, interval: 20 }

    beforeEach(async () => {
      subject = await create()
      log = await subject.open()
      group = `group-${randomUUID()}`
    })

    afterEach(async () => {
      await Promise.all(consumptions.splice(0).map((consumption) => consumption.stop()))
      await log.close()
      await subject.remove()
    })

    async function consume(store: MemoryStore, options?: Parameters<MemoryStore['consume']>[2]): Promise<Consumption> {
      const consumption = await store.consume(log, group, options)
      consumptions.push(consumption)
      return consumption
    }

    it('delivers what was appended as it was', async () => {
      const records = [makeRecord('a'), makeRecord('b', 'ñandú 💡'.repeat(2000)), makeRecord('schlüssel')]
      await log.append(records)
      const got: unknown[] = []
      await consume(new MemoryStore(), {
        async onBatch(batch) {
          got.push(...batch.records.map(({ key, value, headers }) => ({ key, value: value.toString(), headers })))
          return batch.nextOffset
        },
      })
      await expect.poll(() => got.length, within).toBe(3)
      for (const { key, value, headers } of records) expect(got).toContainEqual({ key, value: `${value}`, headers })
    })

    it('keeps the order of each key under concurrent appends', async () => {
      const sent = new Map<string, string[]>()
      const appends = Array.from({ length: 300 }, (_, index) => {
        const record = makeRecord(`key-${index % 7}`)
        sent.set(record.key, [...(sent.get(record.key) ?? []), record.headers.batch_id])
        return log.append([record])
      })
      await Promise.all(appends)
      const store = new MemoryStore()
      await consume(store, { maxEvents: 11 })
      await expect.poll(() => store.ids.length, within).toBe(300)
      expect(store.keys).toEqual(sent)
    })

    it('ascends in each topic partition, without delivering the next batch before the last is stored', async () => {
      const store = new MemoryStore()
      const busy = new Set<string>()
      const problems: string[] = []
      await consume(store, {
        maxEvents: 3,
        async onBatch(batch) {
          const at = nameOf(batch.topicPartition)
          if (busy.has(at)) problems.push(`two batches of ${at} at once`)
          if (batch.records.some(({ offset }, index) => offset <= (batch.records[index - 1]?.offset ?? -1)))
            problems.push('offsets do not ascend')
          if (batch.nextOffset <= batch.records.at(-1)!.offset) problems.push('next offset inside the batch')
          busy.add(at)
          await new Promise(setImmediate)
          busy.delete(at)
          return store.store(batch)
        },
      })
      await log.append(Array.from({ length: 40 }, (_, index) => makeRecord(`key-${index}`)))
      await expect.poll(() => store.ids.length, within).toBe(40)
      expect(problems).toEqual([])
    })

    it('loses nothing acknowledged when the appending process is killed', async () => {
      await log.close()
      const child = startChild('append', subject.settings, group)
      await vi.waitFor(() => expect(child.lines.length).toBeGreaterThan(200), within)
      await child.kill()
      log = await subject.open()
      const store = new MemoryStore()
      await consume(store)
      await vi.waitFor(async () => expect(await behind(store)).toBe(0), within)
      const delivered = new Set(store.ids)
      expect(child.lines.filter((id) => !delivered.has(id))).toEqual([])
    })

    it('goes on from the stored offset when the consuming process is killed', async () => {
      const sent = Array.from({ length: 400 }, (_, index) => makeRecord(`key-${index}`))
      await log.append(sent)
      await log.close()
      const child = startChild('consume', subject.settings, group)
      await vi.waitFor(() => expect(child.lines.length).toBe(CONSUMED_BEFORE_KILL), within)
      await child.kill()
      const store = new MemoryStore()
      for (const line of child.lines) {
        const { topicPartition, next, ids } = JSON.parse(line) as {
          topicPartition: string
          next: number
          ids: string[]
        }
        store.offsets.set(topicPartition, next)
        store.ids.push(...ids)
      }
      log = await subject.open()
      await consume(store)
      await vi.waitFor(async () => expect(await behind(store)).toBe(0), within)
      expect([...store.ids].sort()).toEqual(sent.map((record) => record.headers.batch_id).sort())
    })

    it('goes on from the stored offset after a stop', async () => {
      const store = new MemoryStore()
      await log.append(Array.from({ length: 20 }, () => makeRecord('a')))
      const first = await consume(store)
      await expect.poll(() => store.ids.length, within).toBe(20)
      await first.stop()
      await log.append(Array.from({ length: 5 }, () => makeRecord('a')))
      await consume(store)
      await expect.poll(() => store.ids.length, within).toBeGreaterThanOrEqual(25)
      expect(new Set(store.ids).size).toBe(25)
    })

    it('goes on where onBatch says when somebody else got ahead', async () => {
      await log.append(Array.from({ length: 20 }, () => makeRecord('a')))
      const seen: { first: number; stored: number | null }[] = []
      await consume(new MemoryStore(), {
        maxEvents: 4,
        async onBatch(batch) {
          seen.push({ first: batch.records[0]!.offset, stored: batch.storedOffset })
          return seen.length === 1 ? batch.records[0]!.offset + 13 : batch.nextOffset
        },
      })
      await expect.poll(() => seen.length, within).toBeGreaterThanOrEqual(3)
      const start = seen[0]!.first
      expect(seen.slice(0, 3)).toEqual([
        { first: start, stored: null },
        { first: start + 13, stored: start + 13 },
        { first: start + 17, stored: start + 17 },
      ])
    })

    it('delivers the same records again when onBatch rejects', async () => {
      await log.append([makeRecord('a'), makeRecord('a')])
      const store = new MemoryStore()
      let refused = 0
      await consume(store, {
        async onBatch(batch) {
          refused += 1
          if (refused <= 2) throw new Error('the database is away')
          return store.store(batch)
        },
      })
      await expect.poll(() => store.ids.length, within).toBe(2)
      expect(refused).toBeGreaterThanOrEqual(3)
    })

    it('names a replaced log anew and reads it from its start', async () => {
      const store = new MemoryStore()
      await log.append(Array.from({ length: 9 }, () => makeRecord('a')))
      const before = await consume(store)
      await expect.poll(() => store.ids.length, within).toBe(9)
      await before.stop()
      await log.close()
      await subject.replace()
      log = await subject.open()
      await log.append([makeRecord('a')])
      await consume(store)
      await expect.poll(() => store.ids.length, within).toBe(10)
      expect(new Set([...store.offsets.keys()].map((at) => at.split('/')[0])).size).toBe(2)
    })

    it('tells of a stored offset outside the log, and delivers all that is there', async () => {
      await log.append(Array.from({ length: 6 }, () => makeRecord('a')))
      const store = new MemoryStore()
      const losses: unknown[] = []
      await consume(store, {
        async from(topicPartition) {
          if (losses.length === 0) store.offsets.set(nameOf(topicPartition), 1_000_000)
          return store.from(topicPartition)
        },
        async onLoss(loss) {
          losses.push(loss)
        },
      })
      await expect.poll(() => store.ids.length, within).toBe(6)
      expect(losses).toContainEqual(expect.objectContaining({ stored: 1_000_000 }))
    })

    it('is read to its end beside those who use it, by somebody who changes nothing', async () => {
      const sent = Array.from({ length: 30 }, (_, index) => makeRecord(`key-${index % 9}`))
      await log.append(sent.slice(0, 20))
      const store = new MemoryStore()
      await consume(store)
      await expect.poll(() => store.ids.length, within).toBe(20)
      const stored = new Map(store.offsets)
      await log.append(sent.slice(20))
      const read = async (from: (topicPartition: TopicPartition) => number | null) => {
        const ids: string[] = []
        const onRecord = (record: ConsumedRecord): unknown => ids.push(record.headers.batch_id)
        const parts = await readEventLog(subject.settings, { from, onRecord, signal }, logger)
        const behind = parts.reduce((sum, { topicPartition, end }) => sum + end - (from(topicPartition) ?? 0), 0)
        return { ids: ids.sort(), behind }
      }
      const idsOf = (records: LogRecord[]) => records.map(({ headers }) => headers.batch_id).sort()
      expect(await read((at) => stored.get(nameOf(at)) ?? null)).toEqual({ ids: idsOf(sent.slice(20)), behind: 10 })
      expect((await read(() => 1_000_000)).ids).toEqual(idsOf(sent))
      await expect.poll(() => store.ids.length, within).toBe(30)
      expect((await read((at) => store.offsets.get(nameOf(at)) ?? null)).ids).toEqual([])

      await log.close()
      await subject.replace()
      await expect(read(() => null)).rejects.toThrow(LogUnavailableError)
      // Nor has the first attempt made it.
      await expect(read(() => null)).rejects.toThrow(LogUnavailableError)
      log = await subject.open()
    })

    it('tells how far a consumer is behind', async () => {
      const store = new MemoryStore()
      expect(await behind(store)).toBe(0)
      await log.append(Array.from({ length: 8 }, (_, index) => makeRecord(`key-${index}`)))
      expect(await behind(store)).toBe(8)
      await consume(store)
      await vi.waitFor(async () => expect(await behind(store)).toBe(0), within)
      expect(store.ids.length).toBe(8)
    })

    it('waits for the batch under way when stopped, and delivers nothing after', async () => {
      await log.append([makeRecord('a')])
      const store = new MemoryStore()
      let finish: (() => void) | undefined
      let batches = 0
      const consumption = await consume(store, {
        async onBatch(batch: RecordBatch) {
          batches += 1
          await new Promise<void>((resolve) => {
            finish = resolve
          })
          return store.store(batch)
        },
      })
      await expect.poll(() => finish !== undefined, within).toBe(true)
      const order: string[] = []
      const stopped = consumption.stop().then(() => order.push('stopped'))
      await new Promise(setImmediate)
      order.push('finished')
      finish!()
      await stopped
      expect(order).toEqual(['finished', 'stopped'])
      expect(store.ids.length).toBe(1)
      await log.append([makeRecord('a')])
      expect(batches).toBe(1)
    })

    async function behind(store: MemoryStore): Promise<number> {
      const lags = await log.lag((topicPartition: TopicPartition) => store.from(topicPartition))
      return lags.reduce((sum, { records }) => sum + records, 0)
    }
  })
}
