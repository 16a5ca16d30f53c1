import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MemoryStore, makeRecord, startChild } from '../../../test/support/event-log-subject.ts'
import { LogUnavailableError } from './event-log.ts'
import { type LocalLog, type LocalLogOptions, openLocalLog } from './local.ts'

const HOUR = 3600 * 1000
const logger = createLogger({ name: 'test', level: 'silent' })
let directory: string
let log: LocalLog
let now: number

beforeEach(async () => {
  now = Date.parse('2026-03-01T12:00:00Z')
  directory = await mkdtemp(join(tmpdir(), 'local-log-'))
  await reopen()
})

afterEach(async () => {
  await log.close()
  await rm(directory, { recursive: true })
})

async function reopen(options: Partial<LocalLogOptions> = {}): Promise<void> {
  await log?.close()
  log = await openLocalLog({ directory: join(directory, 'log'), logger, clock: () => now, ...options })
}

function append(count: number, fill = ''): Promise<unknown> {
  return log.append(Array.from({ length: count }, () => makeRecord('a', fill)))
}

describe('trim', () => {
  it('removes what is stored and old, and nothing else', async () => {
    await append(10)
    now += 25 * HOUR
    await append(10)
    const olderThan = new Date(now - 24 * HOUR)
    expect(await log.trim({ storedOffset: 4, olderThan })).toBe(4)
    expect(log.stats()).toMatchObject({ firstOffset: 4, endOffset: 20, records: 16 })
    expect(await log.trim({ storedOffset: 20, olderThan })).toBe(6)
    expect(await log.trim({ storedOffset: 20, olderThan })).toBe(0)
    const store = new MemoryStore()
    const consumption = await store.consume(log, 'group')
    await expect.poll(() => store.ids.length).toBe(10)
    await consumption.stop()
  })

  it('never gives an offset out again, even when all records are gone', async () => {
    await append(3)
    now += 25 * HOUR
    const { logId } = log.stats()
    expect(await log.trim({ storedOffset: 3, olderThan: new Date(now) })).toBe(3)
    await reopen()
    expect(log.stats()).toMatchObject({ logId, firstOffset: 3, endOffset: 3, records: 0, bytes: 0 })
    await append(1)
    expect(log.stats()).toMatchObject({ firstOffset: 3, endOffset: 4 })
  })

  it('gives up stored records however young above keepBytes, oldest first, and no other', async () => {
    await append(3000, 'x'.repeat(3000))
    const trim = { olderThan: new Date(0), keepBytes: 5_000_000 }
    expect(await log.trim({ storedOffset: 0, ...trim })).toBe(0)
    const removed = await log.trim({ storedOffset: 2900, ...trim })
    expect(removed).toBeGreaterThan(0)
    expect(removed).toBeLessThan(2900)
    expect(log.stats().bytes).toBeLessThan(5_000_000)
  })
})

describe('close', () => {
  it('lets appends end, ends a trim under way, and leaves the log to the next process', async () => {
    await append(5000)
    const appending = Promise.allSettled(Array.from({ length: 50 }, () => append(1)))
    const trimming = log.trim({ storedOffset: 5000, olderThan: new Date(now + 1) })
    const [trimmed] = await Promise.allSettled([trimming, log.close()])
    const late = await Promise.allSettled([log.trim({ storedOffset: 5000, olderThan: new Date(now + 1) }), append(1)])
    for (const { status } of late) expect(status).toBe('rejected')
    const acknowledged = (await appending).filter(({ status }) => status === 'fulfilled').length
    await reopen()
    expect(log.stats().endOffset).toBe(5000 + acknowledged)
    if (trimmed.status === 'fulfilled') expect(log.stats().firstOffset).toBe(5000)
    await append(1)
  })
})

describe('a full log', () => {
  it('acknowledges nothing above its bound, keeps what it has, and goes on after a trim', async () => {
    await reopen({ maxBytes: 1_000_000 })
    const appends = await Promise.allSettled(Array.from({ length: 500 }, () => append(1, 'x'.repeat(3500))))
    const refused = appends.filter((result) => result.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toBeInstanceOf(LogUnavailableError)
    expect(log.stats().records).toBe(appends.length - refused.length)
    await log.trim({ storedOffset: log.stats().endOffset, olderThan: new Date(now + 1) })
    await append(1)
  })
})

describe.skipIf(process.platform !== 'linux')('a disk that takes no write', () => {
  it('acknowledges nothing, and goes on by itself when there is space again', async () => {
    await log.close()
    const child = startChild('append', { DATA_DIR: directory }, '')
    const limit = (bytes: string) => spawnSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}`])
    const refused = () => child.lines.filter((line) => line.startsWith('refused')).length
    const within = { timeout: 20_000, interval: 20 }
    await vi.waitFor(() => expect(child.lines.length).toBeGreaterThan(50), within)
    expect(limit('1000000:unlimited').status).toBe(0)
    await vi.waitFor(() => expect(refused()).toBeGreaterThan(20), within)
    expect(child.lines.at(-1)).toContain('is it full?')
    limit('unlimited')
    const before = child.lines.length - refused()
    await vi.waitFor(() => expect(child.lines.length - refused()).toBeGreaterThan(before + 100), within)
    await child.kill()
    await reopen()
    const store = new MemoryStore()
    const consumption = await store.consume(log, 'group')
    await expect.poll(() => log.lag(store.from).then(([lag]) => lag!.records), within).toBe(0)
    await consumption.stop()
    const delivered = new Set(store.ids)
    expect(child.lines.filter((line) => !line.startsWith('refused') && !delivered.has(line))).toEqual([])
    expect(store.ids.length).toBe(delivered.size)
  }, 60_000)
})

it('delivers batches of 16 MiB at most, however few events they have', async () => {
  for (let n = 0; n < 5; n++) await append(10, 'x'.repeat(500_000))
  const batches: number[] = []
  const consumption = await log.consume({
    group: 'group',
    from: async () => null,
    async onBatch({ records, nextOffset }) {
      batches.push(records.reduce((bytes, { value }) => bytes + value.length, 0))
      return nextOffset
    },
  })
  await expect.poll(() => batches.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(25e6)
  await consumption.stop()
  expect(Math.max(...batches)).toBeLessThanOrEqual(16 * 1024 * 1024)
  expect(batches).toHaveLength(2)
})

it('takes no more of the disk than its bound, a tenth and two commits, however often it was full and trimmed', async () => {
  const maxBytes = 8 * 1024 * 1024
  await reopen({ maxBytes })
  const olderThan = new Date(now + HOUR)
  for (const fill of [3000, 260_000, 1000, 20_000, 260_000, 3000].map((length) => 'x'.repeat(length))) {
    const records = Math.ceil(500_000 / (fill.length + 250))
    for (let full = false; !full; )
      full = await append(records, fill).then(
        () => false,
        () => true,
      )
    const { firstOffset, endOffset } = log.stats()
    await log.trim({ storedOffset: Math.ceil((firstOffset + endOffset) / 2), olderThan })
  }
  expect((await stat(join(directory, 'log', 'log.mdb'))).size).toBeLessThan(maxBytes * 1.1 + 2 * 4_200_000)
})

it('names the process that has the log open', async () => {
  await expect(openLocalLog({ directory: join(directory, 'log'), logger })).rejects.toThrow(`process ${process.pid};`)
})

it('takes a new identity when a stored offset lies past its end, so that no offset names two records', async () => {
  await append(5)
  const { logId } = log.stats()
  const store = new MemoryStore()
  store.offsets.set(`${logId}/local/0`, 99)
  const onLoss = vi.fn()
  const consumption = await store.consume(log, 'group', { onLoss })
  await expect.poll(() => store.ids.length).toBe(5)
  await consumption.stop()
  expect(log.stats().logId).not.toBe(logId)
  expect(onLoss).toHaveBeenCalledWith({
    topicPartition: { logId, topic: 'local', partition: 0 },
    stored: 99,
    resumedAt: 0,
  })
})
