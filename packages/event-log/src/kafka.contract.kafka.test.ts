import { createLogger } from '@platform-events/runtime'
import { Kafka, logLevel } from 'kafkajs'
import { beforeEach } from 'vitest'
import { eventLogContract } from '../../../test/support/event-log-contract.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { openEventLog } from './open.ts'

beforeEach((context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
})

eventLogContract('Kafka', async () => {
  const topic = uniqueTopic('contract')
  const settings = { KAFKA_BROKERS: kafkaBrokers().join(','), KAFKA_TOPIC: topic, DATA_DIR: 'not used' }
  const admin = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const deleteTopic = () => admin.deleteTopics({ topics: [topic] })
  return {
    settings,
    open: () => openEventLog(settings, createLogger({ name: 'test', level: 'silent' })),
    replace: deleteTopic,
    async remove() {
      await deleteTopic()
      await admin.disconnect()
    },
  }
})
