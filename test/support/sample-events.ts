import { randomUUID } from 'node:crypto'
import { type LoggedEvent, logLine } from '@platform-events/contracts'
import type { EventLog, LogRecord } from '@platform-events/event-log'
import { createPool, type Pool } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { vi } from 'vitest'
import { type Consumer, type ConsumerOptions, createConsumer } from '../../services/consumer/src/consumer.ts'
import { readOffset } from '../../services/consumer/src/offsets.ts'
import { rollupDifferences } from './stored.ts'

const NAMES = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed']

/** A valid event of a minute ago, with what is given instead. */
export function sampleEvent(fields: Partial<LoggedEvent> = {}): LoggedEvent {
  return {
    id: randomUUID(),
    event_type: NAMES[Math.floor(Math.random() * NAMES.length)]!,
    session_id: randomUUID(),
    created_at: new Date(Date.now() - 60_000).toISOString(),
    properties: { city: 'Bogotá', price: 120_000 },
    ...fields,
  }
}

export function sampleEvents(count: number, fields: Partial<LoggedEvent> = {}): LoggedEvent[] {
  return Array.from({ length: count }, () => sampleEvent(fields))
}

/** One record of events, or of lines as they stand. */
export function sampleRecord(lines: (LoggedEvent | string)[], fields: Partial<LogRecord['headers']> = {}): LogRecord {
  const first = lines[0]
  return {
    key: (typeof first === 'object' ? first.session_id : undefined) ?? randomUUID(),
    value: Buffer.from(lines.map((line) => (typeof line === 'string' ? `${line}\n` : logLine(line))).join('')),
    headers: {
      schema: '1',
      source_id: 1,
      batch_id: randomUUID(),
      received_at: new Date().toISOString(),
      events: lines.length,
      ...fields,
    },
  }
}

/** Events in records of so many. */
export function sampleRecords(events: LoggedEvent[], perRecord = 20): LogRecord[] {
  const records: LogRecord[] = []
  for (let at = 0; at < events.length; at += perRecord) records.push(sampleRecord(events.slice(at, at + perRecord)))
  return records
}

/** A consumer with a pool of its own, as a process of its own has one. */
export function testConsumer(
  log: EventLog,
  connectionString: string,
  options: Partial<ConsumerOptions> = {},
): Consumer & { pool: Pool; end(): Promise<void> } {
  const pool = createPool({ connectionString, applicationName: 'platform-events consumer', max: 4 })
  const consumer = createConsumer({
    log,
    pool,
    logger: createLogger({ name: 'test', level: 'silent' }),
    metrics: createMetrics(),
    lingerMs: 10,
    backoffMs: [10, 100],
    ...options,
  })
  let ended: Promise<void> | undefined
  const end = async (): Promise<void> => {
    await consumer.drain?.()
    await consumer.stop()
    await pool.end()
  }
  return {
    ...consumer,
    pool,
    end() {
      ended ??= end()
      return ended
    },
  }
}

/** Waits until everything in the log is behind the stored offsets. */
export async function untilConsumed(log: EventLog, pool: Pool, timeout = 20_000): Promise<void> {
  await vi.waitFor(
    async () => {
      const partitions = await log.lag((topicPartition) => readOffset(pool, topicPartition))
      const records = partitions.reduce((sum, lag) => sum + lag.records, 0)
      if (records !== 0) throw new Error(`${records} records to go`)
    },
    { timeout, interval: 20 },
  )
}

export interface TableState {
  /** Sorted; an id twice is there twice. */
  ids: string[]
  dead: number
  quarantined: number
  /** Empty when the rollup equals a count of the raw rows. */
  rollupDifferences: unknown[]
}

export async function tableState(pool: Pool): Promise<TableState> {
  const { rows } = await pool.query<{ id: string }>('select id from public.platform_events order by id')
  const { rows: others } = await pool.query<{ dead: number; quarantined: number }>(
    `select (select count(*)::int from events_internal.dead_letters) as dead,
            (select count(*)::int from events_internal.quarantined_events) as quarantined`,
  )
  return { ids: rows.map(({ id }) => id), ...others[0]!, rollupDifferences: await rollupDifferences(pool) }
}

export function idsOf(events: { id: string }[]): string[] {
  return events.map(({ id }) => id).sort()
}
