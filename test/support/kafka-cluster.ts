import { setTimeout as sleep } from 'node:timers/promises'
import { createJvmCluster, type JvmBroker, removeJvmBroker, startJvmBroker, stopJvmBroker } from './kafka-jvm.ts'
import { administer } from './kafka-topics.ts'

/** A real Kafka of three brokers whose leaders are moved and whose brokers are killed. A broker's number is its index + 1. */
export interface TestCluster {
  brokers: JvmBroker[]
  /** host:port of each, separated by commas. */
  address: string
  stop(numbers: number[], signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts those that are stopped. */
  startAll(): Promise<void>
  /** The number of the broker that leads each topic partition. */
  leaders(topic: string): Promise<number[]>
  /** Makes a topic whose topic partitions lie on one broker each. */
  createTopic(topic: string, leaders: number[]): Promise<void>
  /** Has another broker take over a topic partition that lies on one broker; resolves when it leads. */
  move(topic: string, partition: number, to: number): Promise<void>
  addPartitions(topic: string, count: number): Promise<void>
  /** Records in the topic. */
  size(topic: string): Promise<number>
  remove(): Promise<void>
}

export async function startTestCluster(proxied?: (port: number) => Promise<number>): Promise<TestCluster> {
  const brokers = await createJvmCluster(3, ...(proxied ? [proxied] : []))
  const addresses = brokers.map(({ port }) => `127.0.0.1:${port}`)
  const stopped = new Set<number>()
  const ask: typeof administer = (work) => administer(work, addresses)
  const leaders = (topic: string): Promise<number[]> =>
    ask(async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const partitions = [...topics[0]!.partitions].sort((one, other) => one.partitionId - other.partitionId)
      return partitions.map(({ leader }) => leader)
    })
  return {
    brokers,
    address: addresses.join(','),
    async stop(numbers, signal) {
      for (const number of numbers) stopped.add(number)
      await Promise.all(numbers.map((number) => stopJvmBroker(brokers[number - 1]!, signal)))
    },
    async startAll() {
      const starting = [...stopped]
      stopped.clear()
      await Promise.all(starting.map((number) => startJvmBroker(brokers[number - 1]!)))
    },
    leaders,
    async createTopic(topic, leaders) {
      const replicaAssignment = leaders.map((leader, partition) => ({ partition, replicas: [leader] }))
      await ask((admin) => admin.createTopics({ topics: [{ topic, replicaAssignment }] }))
    },
    async move(topic, partition, to) {
      const topics = [{ topic, partitionAssignment: [{ partition, replicas: [to] }] }]
      await ask((admin) => admin.alterPartitionReassignments({ topics }))
      while ((await leaders(topic))[partition] !== to) await sleep(50)
    },
    async addPartitions(topic, count) {
      await ask((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }))
    },
    async size(topic) {
      const marks = await ask((admin) => admin.fetchTopicOffsets(topic))
      return marks.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
    },
    async remove() {
      await Promise.all(brokers.map((broker) => removeJvmBroker(broker)))
    },
  }
}
