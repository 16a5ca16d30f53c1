import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { inTime } from '../../packages/runtime/src/deadline.ts'

/**
 * Waits until a broker really answers: an open port is not enough, a fresh one says "loading" to the first look-up of a group
 * and to the first InitProducerId.
 *
 * @throws the last error after 60 s, or once `alive` says no
 */
export async function brokerAnswers(broker: string, alive: () => boolean = () => true): Promise<void> {
  const deadline = Date.now() + 60_000
  const kafka = new Kafka({
    clientId: 'is-it-ready',
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    requestTimeout: 5000,
    retry: { retries: 0 },
  })
  for (;;) {
    try {
      // Bounded: a client of kafkajs that meets a broker which is just starting may wait for good.
      await inTime(askOnce(kafka), 10_000, 'the broker')
      return
    } catch (error) {
      if (!alive() || Date.now() > deadline) throw error
      await sleep(100)
    }
  }
}

async function askOnce(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 1 } })
  try {
    await admin.connect()
    await admin.describeCluster()
    await admin.describeGroups(['is-it-ready'])
    await producer.connect()
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  }
}
