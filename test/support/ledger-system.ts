import { createHash, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type CollectingLog, openCollectingLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { expect, vi } from 'vitest'
import { deliveryReporter } from '../../services/collector/src/delivery-reporter.ts'
import { ReceivedCounts } from '../../services/collector/src/received-counts.ts'
import { saveDeliveryReport } from '../../services/collector/src/save-delivery-report.ts'
import { ledgerSums } from './ledger.ts'
import type { TestDatabase } from './postgres.ts'
import { sampleEvents, sampleRecord, testConsumer } from './sample-events.ts'

/** What fills the ledger: a collector's log and its reporter, and a consumer that can be started and stopped. */
export async function startLedgerSystem(
  database: TestDatabase,
  settings: { DATA_DIR: string; KAFKA_BROKERS?: string; KAFKA_TOPIC?: string },
) {
  const logger = createLogger({ name: 'test', level: 'silent' })
  const log: CollectingLog = await openCollectingLog({ ...settings, SPOOL_MAX_BYTES: 2 ** 30 }, logger)
  const reporter = deliveryReporter({
    log,
    received: new ReceivedCounts(),
    save: (report) => saveDeliveryReport(database.pool, report),
    file: join(settings.DATA_DIR, `report-${randomUUID()}.json`),
    logger,
    everyMs: 20,
  })
  await reporter.start()
  const group = createHash('sha256').update(settings.DATA_DIR).digest('hex')
  let consumer: ReturnType<typeof testConsumer> | undefined
  let flowing = false
  let flow: Promise<void> = Promise.resolve()
  let acknowledged = 0
  const append = async (count: number): Promise<void> => {
    await log.append([sampleRecord(sampleEvents(count)), sampleRecord(sampleEvents(count))])
    acknowledged += 2 * count
  }
  return {
    log,
    append,
    async consume() {
      consumer = testConsumer(log, database.connectionString, { group })
      await consumer.start()
    },
    async stopConsuming() {
      await consumer?.end()
      consumer = undefined
    },
    /** Appends, for ever, as fast as the log takes it. */
    flow() {
      flowing = true
      flow = (async () => {
        while (flowing) await append(5)
      })()
    },
    /** Resolves when the ledger knows all that was acknowledged. */
    async stopFlow() {
      flowing = false
      await flow
      await vi.waitFor(async () => expect((await ledgerSums(database.pool)).accepted).toBe(acknowledged), {
        timeout: 20_000,
        interval: 20,
      })
    },
    async end() {
      flowing = false
      await flow
      await consumer?.end()
      await reporter.stop()
      await log.close()
    },
  }
}
