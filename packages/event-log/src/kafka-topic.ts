import { Backoff, inTime, type Logger } from '@platform-events/runtime'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import type { TopicPartition } from './event-log.ts'
import { CONNECT_MS } from './kafka-client.ts'
import { askTopicIdentity } from './kafka-topic-id.ts'

/** The first and the next offset of a topic partition, as they are now. */
export interface Watermarks {
  low: number
  high: number
}

const ANSWER_MS = 10_000

/**
 * The topic that is the log. Its identity is asked for again and again: a topic that was deleted and made anew gives the same
 * offsets to other records, and must not pass for the old one.
 */
export class KafkaTopic {
  readonly name: string
  readonly #kafka: Kafka
  readonly #admin: Admin
  readonly #logger: Logger
  #logId = ''

  constructor(kafka: Kafka, name: string, logger: Logger) {
    this.#kafka = kafka
    this.name = name
    this.#logger = logger
    this.#admin = kafka.admin()
  }

  /**
   * Connects; makes the topic where it is absent, checks its settings where it is there.
   *
   * @throws Error when Kafka is not reached, or the topic would lose events by its settings
   */
  async open(partitions: number): Promise<void> {
    await inTime(this.#admin.connect(), CONNECT_MS, 'connecting to Kafka')
    await this.ensure(partitions)
    await this.#checkSettings()
    await this.refresh()
  }

  /** Connects to a topic that is there. @throws Error when it is not, or Kafka is not reached */
  async openExisting(): Promise<void> {
    await inTime(this.#admin.connect(), CONNECT_MS, 'connecting to Kafka')
    if (!(await this.#admin.listTopics()).includes(this.name)) throw new Error(`there is no topic ${this.name}`)
    await this.refresh()
  }

  /** Makes the topic where it is absent; resolves when its topic partitions have leaders. */
  async ensure(partitions: number): Promise<void> {
    await this.#make(partitions)
    await this.watermarks()
  }

  /** By a client of its own: one that has asked for a topic fails in everything once that topic is deleted. */
  async #make(partitions: number): Promise<void> {
    const admin = this.#kafka.admin()
    try {
      await inTime(admin.connect(), CONNECT_MS, 'connecting to Kafka')
      if ((await admin.listTopics()).includes(this.name)) return
      const { brokers } = await admin.describeCluster()
      const replicationFactor = Math.min(3, brokers.length)
      // With acks=all and one replica enough, a record may be acknowledged that lies on a single disk.
      const minInSync = replicationFactor === 3 ? 2 : 1
      const topic = {
        topic: this.name,
        numPartitions: partitions,
        replicationFactor,
        configEntries: [{ name: 'min.insync.replicas', value: String(minInSync) }],
      }
      if (await admin.createTopics({ topics: [topic], waitForLeaders: false }))
        this.#logger.info({ topic: this.name, partitions, replicationFactor }, 'topic made')
    } finally {
      await admin.disconnect()
    }
  }

  /** Cluster and topic id as they were last asked for: what names this log in `consumer_offsets`. */
  get logId(): string {
    return this.#logId
  }

  topicPartition(partition: number): TopicPartition {
    return { logId: this.#logId, topic: this.name, partition }
  }

  /** Asks for the identity. */
  async refresh(): Promise<void> {
    const { clusterId, topicId } = await inTime(
      askTopicIdentity(this.#kafka, this.name),
      ANSWER_MS,
      'asking for the topic',
    )
    const logId = `${clusterId}:${topicId ?? this.name}`
    if (this.#logId !== '' && this.#logId !== logId)
      this.#logger.error({ topic: this.name, was: this.#logId, is: logId }, 'the topic is another one now')
    this.#logId = logId
  }

  /** @throws the last error, when leaders are away for longer than an election or the making of a topic takes */
  async watermarks(): Promise<Map<number, Watermarks>> {
    const deadline = performance.now() + ANSWER_MS
    const backoff = new Backoff(50, 500)
    for (;;) {
      try {
        const offsets = await inTime(this.#admin.fetchTopicOffsets(this.name), ANSWER_MS, 'asking for the offsets')
        return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]))
      } catch (error) {
        const { retriable } = error as { retriable?: boolean }
        if (!retriable || performance.now() > deadline) throw error
        await backoff.pause()
      }
    }
  }

  async deleteGroup(group: string): Promise<void> {
    await inTime(this.#admin.deleteGroups([group]), ANSWER_MS, 'deleting a group')
  }

  async close(): Promise<void> {
    await inTime(this.#admin.disconnect(), 1000, 'disconnecting').catch(() => undefined)
  }

  async #checkSettings(): Promise<void> {
    const { resources } = await this.#admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: this.name }],
    })
    const settings = new Map(
      resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    )
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: [this.name] })
    const replicas = Math.min(...topics[0]!.partitions.map((partition) => partition.replicas.length))
    for (const problem of problemsOf(settings, replicas)) this.#logger.warn({ topic: this.name }, problem)
    if (settings.get('cleanup.policy')?.includes('compact'))
      throw new Error(`topic ${this.name} is compacted: Kafka would drop all but the last record of each session`)
  }
}

/** What an operator should change; exported for its test. */
export function problemsOf(settings: Map<string, string>, replicas: number): string[] {
  const number = (name: string): number => Number(settings.get(name) ?? Number.NaN)
  const problems: string[] = []
  const retention = number('retention.ms')
  if (retention >= 0 && retention < 24 * 3600 * 1000)
    problems.push(`retention.ms is ${retention}: with less than a day a restored database cannot replay`)
  if (number('max.message.bytes') < 1_000_000)
    problems.push(`max.message.bytes is ${number('max.message.bytes')}: a request of 500 KB may not fit, allow 1000000`)
  if (replicas > 2 && number('min.insync.replicas') < 2)
    problems.push(`min.insync.replicas is 1 of ${replicas} replicas: what is acknowledged may lie on one disk, set 2`)
  if (settings.get('unclean.leader.election.enable') === 'true')
    problems.push('unclean.leader.election.enable is true: acknowledged events may be lost')
  return problems
}
