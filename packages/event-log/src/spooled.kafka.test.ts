import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import { Kafka, logLevel } from 'kafkajs'
import { expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { AcceptedCounts } from './accepted-counts.ts'
import type { LogRecord } from './event-log.ts'
import { openKafkaLog } from './kafka.ts'
import { openLocalLog } from './local.ts'
import { openSpooledLog } from './spooled.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

/** A record of so many events of about 1 KB. */
function recordOf(events: number): LogRecord {
  const lines = Array.from(
    { length: events },
    () => `${JSON.stringify({ id: randomUUID(), fill: 'x'.repeat(1000) })}\n`,
  )
  return {
    key: 'a',
    value: Buffer.from(lines.join('')),
    headers: { schema: '1', source_id: 7, batch_id: randomUUID(), received_at: '2026-03-01T12:00:00.000Z', events },
  }
}

it('moves what the topic allows only in smaller pieces, in order', async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  const topic = uniqueTopic('small')
  const admin = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const configEntries = [{ name: 'max.message.bytes', value: '10000' }]
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }] })
  await admin.disconnect()
  const dataDir = await makeDataDir()
  const kafka = await openKafkaLog({ brokers: kafkaBrokers(), clientId: 'test', topic, logger })
  const spool = await openLocalLog({ directory: join(dataDir.path, 'spool'), logger })
  const log = await openSpooledLog({ kafka, spool, accepted: new AcceptedCounts(), logger })
  try {
    const records = [recordOf(1), recordOf(50), recordOf(3)]
    for (const record of records) await log.append([record])
    await vi.waitFor(() => expect(log.spool()).toMatchObject({ away: null, events: 0 }), { timeout: 40_000 })
    let text = ''
    const consumption = await log.consume({
      group: topic,
      from: async () => null,
      async onBatch(batch) {
        for (const { value, headers } of batch.records) {
          text += value.toString()
          expect(value.toString().split('\n').length - 1).toBe(headers.events)
        }
        return batch.nextOffset
      },
    })
    const sent = records.map(({ value }) => value.toString()).join('')
    // What was tried before may be there twice.
    const first = () => [...new Set(text.split('\n'))].join('\n')
    await vi.waitFor(() => expect(first()).toBe([...new Set(sent.split('\n'))].join('\n')), { timeout: 20_000 })
    await consumption.stop()
  } finally {
    await log.close()
    await dataDir.remove()
  }
})
