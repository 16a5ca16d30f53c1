import { type Admin, Kafka, logLevel } from 'kafkajs'
import { kafkaBrokers } from './kafka.ts'

/** Deletes a topic with all that it holds. */
export function deleteTopic(topic: string): Promise<void> {
  return administer((admin) => admin.deleteTopics({ topics: [topic] }))
}

/** Deletes every record that is in a topic now, as retention does: its offsets go on from where they were. */
export function deleteRecords(topic: string): Promise<void> {
  return administer(async (admin) => {
    const marks = await admin.fetchTopicOffsets(topic)
    const partitions = marks.map(({ partition, high }) => ({ partition, offset: high }))
    await admin.deleteTopicRecords({ topic, partitions })
  })
}

/** Does something with an admin client of kafkajs that asks these brokers. */
export async function administer<T>(work: (admin: Admin) => Promise<T>, brokers = kafkaBrokers()): Promise<T> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}
