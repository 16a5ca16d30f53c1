import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@platform-events/runtime'
import { inTime } from '@platform-events/runtime'
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import type { ConsumeOptions } from './event-log.ts'
import { CONNECT_MS, METADATA_MAX_AGE_MS } from './kafka-client.ts'
import { PartitionDelivery } from './kafka-partition.ts'
import type { StallWatch } from './kafka-stall-watch.ts'
import type { KafkaTopic, Watermarks } from './kafka-topic.ts'

const HEARTBEAT_MS = 1000
const SESSION_MS = 10_000
const REBALANCE_MS = 30_000

/** No heartbeat, fetch or join for so long: the consumer hangs, whatever it believes. Longer than a join may take. */
const STALLED_MS = REBALANCE_MS + 30_000

/** How long a batch under way may hold up a rebalance before it is told to give up. */
const REBALANCE_GRACE_MS = 10_000

/** A Kafka that answers lets a member go in no time; one that does not must not hold up the end. */
const LEAVE_MS = 1500

const LOOK_MS = 10_000

/**
 * What is fetched from one broker at once, and of one topic partition; kafkajs asks it for no more before all of that is done with, so
 * this is also what waits in memory while Postgres is away. Kafka sends a single record that is larger all the same.
 */
const FETCH_BYTES = 8 * 1024 * 1024
const PARTITION_BYTES = 1024 * 1024

export interface SessionOptions {
  kafka: Kafka
  topic: KafkaTopic
  partitions: number
  consume: ConsumeOptions
  maxEvents: number
  logger: Logger
  stalls: StallWatch
  /** How often it is looked whether the topic is still the same, and each topic partition is fetched; default 10 s. */
  lookMs?: number | undefined
}

/** One life of a kafkajs consumer, from connecting until it crashes, hangs, meets another topic, or is stopped. */
export class KafkaSession {
  readonly #options: SessionOptions
  readonly #consumer: Consumer
  readonly #timers: NodeJS.Timeout[] = []
  #deliveries = new Map<number, PartitionDelivery>()
  #watermarks: Promise<Map<number, Watermarks>> | undefined
  #progressAt = performance.now()
  #fail!: (error: Error) => void
  #starting: Promise<void> = Promise.resolve()
  #logId: string | undefined
  #ended = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#consumer = options.kafka.consumer({
      groupId: options.consume.group,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: 500,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: PARTITION_BYTES,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      allowAutoTopicCreation: false,
      // Restarting is ours: kafkajs restarts after some errors and not after others.
      retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 5, restartOnFailure: async () => false },
    })
  }

  /** Rejects when the session is at its end. */
  async run(): Promise<never> {
    const ended = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    // It may fail while what stands between here and the await below is still at work.
    ended.catch(() => undefined)
    this.#listen()
    this.#starting = this.#start()
    await Promise.race([this.#starting, ended])
    return await ended
  }

  async #start(): Promise<void> {
    const { topic, partitions } = this.#options
    await inTime(topic.ensure(partitions), 10_000, 'Kafka')
    await topic.refresh()
    this.#logId = topic.logId
    this.#refuseAfterEnd()
    await inTime(this.#consumer.connect(), CONNECT_MS, 'connecting to Kafka')
    this.#refuseAfterEnd()
    await this.#consumer.subscribe({ topics: [topic.name], fromBeginning: true })
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: Math.max(partitions, 6),
      eachBatch: (payload) => this.#eachBatch(payload),
    })
  }

  /** Takes nothing new, lets the batches under way end for so long, then tells them to give up, and leaves the group. */
  async end(graceMs: number): Promise<void> {
    this.#ended = true
    for (const timer of this.#timers) clearInterval(timer)
    const deliveries = [...this.#deliveries.values()]
    for (const delivery of deliveries) delivery.leave()
    const settled = Promise.all(deliveries.map((delivery) => delivery.settled()))
    await inTime(settled, graceMs, 'batch under way').catch(() => undefined)
    for (const delivery of deliveries) delivery.abort()
    // Not while it joins: kafkajs would let go of what it cannot stop yet, and remain a member of the group for ever.
    const left = this.#starting.catch(() => undefined).then(() => this.#consumer.disconnect())
    await inTime(left, LEAVE_MS, 'disconnecting').catch(() => undefined)
  }

  #listen(): void {
    const { GROUP_JOIN, HEARTBEAT, FETCH, END_BATCH_PROCESS, CRASH } = this.#consumer.events
    const progress = (): void => {
      this.#progressAt = performance.now()
    }
    for (const event of [GROUP_JOIN, HEARTBEAT, FETCH, END_BATCH_PROCESS] as const) this.#consumer.on(event, progress)
    this.#consumer.on(GROUP_JOIN, ({ payload }) =>
      this.#assign(payload.memberAssignment[this.#options.topic.name] ?? []),
    )
    this.#consumer.on(CRASH, ({ payload }) => this.#fail(payload.error))
    const watch = setInterval(() => {
      if (performance.now() - this.#progressAt > STALLED_MS) this.#fail(new Error('the consumer hangs'))
    }, 5000)
    // Kafka away is no news here: the requests of the consumer tell it too.
    const looking = setInterval(() => void this.#look().catch(() => undefined), this.#options.lookMs ?? LOOK_MS)
    this.#timers.push(watch, looking)
  }

  async #look(): Promise<void> {
    await this.#confirmIdentity()
    const deliveries = [...this.#deliveries]
    const marks = await this.#options.topic.watermarks()
    const seen = deliveries.map(([partition, delivery]) => {
      return { partition, ...delivery.state, end: marks.get(partition)?.high ?? 0 }
    })
    const stalled = this.#options.stalls.look(seen, performance.now())
    if (stalled !== null) this.#fail(new Error(`topic partition ${stalled} has records and is not fetched`))
  }

  /** Stopped while it was still starting: what `end` has let go of must not be taken up again. */
  #refuseAfterEnd(): void {
    if (this.#ended) throw new Error('stopped')
  }

  #assign(partitions: number[]): void {
    if (this.#ended) return
    const { topic, consume, maxEvents, logger } = this.#options
    const before = this.#deliveries
    logger.info({ topic: topic.name, partitions }, 'topic partitions assigned')
    for (const [partition, delivery] of before) {
      if (partitions.includes(partition)) delivery.leave()
      else delivery.abort()
    }
    this.#watermarks = undefined
    this.#deliveries = new Map(
      partitions.map((partition) => {
        const delivery = new PartitionDelivery(
          {
            topicPartition: topic.topicPartition(partition),
            consume,
            maxEvents,
            logger,
            watermarks: () => this.#watermarksOf(partition),
            confirmIdentity: () => this.#confirmIdentity(),
            seek: (offset) => this.#seek(partition, offset),
          },
          before.get(partition),
        )
        return [partition, delivery]
      }),
    )
  }

  /** @throws when the topic is another one now: its offsets say nothing of what is stored */
  async #confirmIdentity(): Promise<void> {
    const { topic } = this.#options
    await topic.refresh()
    if (this.#logId === undefined || topic.logId === this.#logId) return
    const replaced = new Error('the topic was replaced by another one of the same name')
    this.#fail(replaced)
    throw replaced
  }

  #seek(partition: number, offset: number): void {
    this.#consumer.seek({ topic: this.#options.topic.name, partition, offset: String(offset) })
  }

  /** Those that ask at the same time share one look. */
  async #watermarksOf(partition: number): Promise<Watermarks> {
    this.#watermarks ??= this.#options.topic.watermarks().finally(() => {
      this.#watermarks = undefined
    })
    const found = (await this.#watermarks).get(partition)
    if (found === undefined) throw new Error(`Kafka says nothing of topic partition ${partition}`)
    return found
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const delivery = this.#deliveries.get(payload.batch.partition)
    if (delivery === undefined || this.#ended) return
    const done = new AbortController()
    const beating = this.#beat(payload, delivery, done.signal)
    await delivery.deliver(payload)
    done.abort()
    await beating
  }

  /** Keeps the membership while a batch is under way. When the group rebalances, the batch may end, but not hold it up. */
  async #beat(payload: EachBatchPayload, delivery: PartitionDelivery, done: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(HEARTBEAT_MS, undefined, { signal: done }).catch(() => undefined)
      if (done.aborted) return
      try {
        await payload.heartbeat()
      } catch (error) {
        const { type } = error as { type?: string }
        if (type === undefined) continue
        delivery.leave()
        if (type === 'REBALANCE_IN_PROGRESS')
          await sleep(REBALANCE_GRACE_MS, undefined, { signal: done }).catch(() => undefined)
        if (!done.aborted) delivery.abort()
        return
      }
    }
  }
}
