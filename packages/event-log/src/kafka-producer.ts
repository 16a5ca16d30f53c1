import { Backoff, inTime, type Logger } from '@platform-events/runtime'
import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs'
import { AppendQueue } from './append-queue.ts'
import type { LogRecord } from './event-log.ts'
import { CONNECT_MS, METADATA_MAX_AGE_MS } from './kafka-client.ts'
import { sizeOf, toMessage } from './kafka-record.ts'
import type { KafkaTopic } from './kafka-topic.ts'

/** kafkajs has no linger of its own: one request of many records costs a fifth of many requests. */
const LINGER_MS = 5

/** A request stays below the broker's default `max.message.bytes`, even if all of it falls into one topic partition. */
const REQUEST_BYTES = 900_000

/** From the call of `append` to its end, whatever Kafka does. */
const APPEND_DEADLINE_MS = 14_000

const ATTEMPTS = 4

const ALL_IN_SYNC = -1

/**
 * Appends to the topic, one request at a time. A producer that gave up is thrown away and built anew: in kafkajs it may stay
 * broken. Not idempotent: with one request in flight order holds without, and a retry's duplicates are told by the events' ids.
 *
 * A retry sends everything again, to whoever leads by now. That of kafkajs (2.2.4, `sendMessages.js`) leaves out every broker that has
 * answered already, also for what another broker refused and this one leads since: it resolves, and those records are nowhere.
 */
export class KafkaAppender {
  readonly #kafka: Kafka
  readonly #topic: KafkaTopic
  readonly #partitions: number
  readonly #logger: Logger
  readonly #queue: AppendQueue<Message>
  #producer: Promise<Producer> | undefined
  #failed = false

  constructor(kafka: Kafka, topic: KafkaTopic, partitions: number, logger: Logger) {
    this.#kafka = kafka
    this.#topic = topic
    this.#partitions = partitions
    this.#logger = logger
    this.#queue = new AppendQueue<Message>({
      groupBytes: REQUEST_BYTES,
      lingerMs: LINGER_MS,
      failTogether: true,
      write: (messages, waitedMs) => this.#write(messages, Math.max(1000, APPEND_DEADLINE_MS - waitedMs)),
    })
  }

  append(records: LogRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0)
    return this.appendMessages(records.map(toMessage), bytes)
  }

  /** The same for messages that are no events; `bytes` is their size, about. */
  appendMessages(messages: Message[], bytes: number): Promise<void> {
    return this.#queue.append(messages, bytes)
  }

  async close(): Promise<void> {
    await this.#queue.idle()
    await this.#discard()
  }

  async #write(messages: Message[], withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs
    try {
      await inTime(this.#send(messages, deadline), withinMs, 'Kafka')
      this.#failed = false
    } catch (err) {
      // Once an outage: whoever drains a spool tries every few seconds.
      this.#logger[this.#failed ? 'debug' : 'warn'](
        { err, topic: this.#topic.name, records: messages.length },
        'not appended, the producer is built anew',
      )
      this.#failed = true
      void this.#discard()
      // Deleted under our feet: the next append should find it.
      if (hasType(err, 'UNKNOWN_TOPIC_OR_PARTITION'))
        await inTime(this.#topic.ensure(this.#partitions), 5000, 'Kafka').catch(() => undefined)
      throw err
    }
  }

  async #send(messages: Message[], deadline: number): Promise<void> {
    this.#producer ??= this.#connect()
    const producer = await this.#producer
    const backoff = new Backoff(100, 1000)
    for (let attempt = 1; ; attempt += 1) {
      try {
        await producer.send({ topic: this.#topic.name, acks: ALL_IN_SYNC, timeout: 5000, messages })
        return
      } catch (error) {
        // What kafkajs would have tried again; the leaders were asked for anew by then.
        const again = (error as Error).name === 'KafkaJSNumberOfRetriesExceeded'
        if (!again || attempt === ATTEMPTS || performance.now() > deadline) throw error
        await backoff.pause()
      }
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      retry: { retries: 0 },
    })
    try {
      await inTime(producer.connect(), CONNECT_MS, 'connecting to Kafka')
      return producer
    } catch (error) {
      void producer.disconnect().catch(() => undefined)
      throw error
    }
  }

  async #discard(): Promise<void> {
    const old = this.#producer
    this.#producer = undefined
    await inTime(old?.then((producer) => producer.disconnect()) ?? Promise.resolve(), 2000, 'disconnecting').catch(
      () => undefined,
    )
  }
}

/** The topic, or the broker, allows no request of this size; a smaller one may do. */
export function isTooLarge(error: unknown): boolean {
  return hasType(error, 'MESSAGE_TOO_LARGE') || hasType(error, 'RECORD_LIST_TOO_LARGE')
}

function hasType(error: unknown, type: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if ((at as Error & { type?: string }).type === type) return true
  return false
}
