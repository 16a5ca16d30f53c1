import { Kafka, logLevel } from 'kafkajs'

/** Gives a topic one more topic partition, up to so many. @returns what it has now, in words */
export async function addTopicPartition(topic: string, brokers: string[], most: number): Promise<string> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const count = topics[0]!.partitions.length + 1
    if (count > most) return `passed over: it has ${most}`
    await admin.createPartitions({ topicPartitions: [{ topic, count }] })
    return `${count} topic partitions`
  } finally {
    await admin.disconnect()
  }
}
