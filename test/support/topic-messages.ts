import { randomUUID } from 'node:crypto'
import { type EachMessageHandler, Kafka, logLevel } from 'kafkajs'
import { kafkaBrokers } from './kafka.ts'

export interface TopicMessage {
  key: string | null
  value: Buffer | null
  headers: Record<string, string>
}

/** Makes a topic with these settings. */
export async function makeTopic(topic: string, settings: Record<string, string>): Promise<void> {
  const admin = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, configEntries }] })
  await admin.disconnect()
}

/** Every message that is on a topic now. */
export async function readTopic(topic: string): Promise<TopicMessage[]> {
  const kafka = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING })
  const count = await countMessages(kafka, topic)
  const messages: TopicMessage[] = []
  if (count === 0) return messages
  const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50 })
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      const eachMessage: EachMessageHandler = async ({ message: { key, value, headers } }) => {
        const texts = Object.entries(headers ?? {}).map(([name, header]) => [name, String(header)])
        messages.push({ key: key?.toString() ?? null, value, headers: Object.fromEntries(texts) })
        if (messages.length === count) resolve()
      }
      consumer.run({ autoCommit: false, eachMessage }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return messages
}

async function countMessages(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const marks = await admin.fetchTopicOffsets(topic)
    return marks.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)
  } finally {
    await admin.disconnect()
  }
}
