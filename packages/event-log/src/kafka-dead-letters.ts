import { inTime } from '@platform-events/runtime'
import type { Message } from 'kafkajs'
import type { DeadLetterMessage, DeadLetterTopic } from './dead-letter-topic.ts'
import { LogUnavailableError } from './event-log.ts'
import { createKafka, type KafkaConnection } from './kafka-client.ts'
import { isTooLarge, KafkaAppender } from './kafka-producer.ts'
import { KafkaTopic } from './kafka-topic.ts'

export interface KafkaDeadLetterOptions extends KafkaConnection {
  topic: string
  /** Topic partitions of a topic that is made because it is absent. Default 6. */
  partitions?: number
}

/** How long a close waits for what is under way. */
const CLOSE_MS = 1000

interface Opened {
  topic: KafkaTopic
  appender: KafkaAppender
}

/** The topic for dead letters in Kafka; reached when it is opened, as often as that takes. Made as the log's own topic is. */
export function kafkaDeadLetterTopic(options: KafkaDeadLetterOptions): DeadLetterTopic {
  const { topic: name, partitions = 6, logger } = options
  let opened: Promise<Opened> | undefined

  async function reach(): Promise<Opened> {
    const kafka = createKafka(options)
    const topic = new KafkaTopic(kafka, name, logger)
    try {
      await topic.open(partitions)
      return { topic, appender: new KafkaAppender(kafka, topic, partitions, logger) }
    } catch (cause) {
      opened = undefined
      await topic.close()
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new LogUnavailableError(`Kafka at ${options.brokers.join(', ')}: ${reason}`, { cause })
    }
  }

  return {
    name,
    async open() {
      opened ??= reach()
      await opened
    },
    async publish(letters) {
      opened ??= reach()
      const { appender } = await opened
      await publish(appender, letters)
    },
    async close() {
      const closing = opened?.then(async ({ topic, appender }) => {
        await appender.close()
        await topic.close()
      })
      await inTime(closing ?? Promise.resolve(), CLOSE_MS, 'Kafka').catch(() => undefined)
    },
  }
}

/** In halves where together they are too large: what a topic allows is its operator's business. */
async function publish(appender: KafkaAppender, letters: DeadLetterMessage[]): Promise<void> {
  try {
    await appender.appendMessages(
      letters,
      letters.reduce((sum, letter) => sum + letter.value.length, 0),
    )
  } catch (error) {
    if (!isTooLarge(error)) throw error
    const [letter] = letters
    if (letters.length === 1) return await appender.appendMessages([withoutValue(letter!)], 0)
    const half = letters.length >> 1
    await publish(appender, letters.slice(0, half))
    await publish(appender, letters.slice(half))
  }
}

function withoutValue({ key, value, headers }: DeadLetterMessage): Message {
  return { key, value: null, headers: { ...headers, value_omitted: String(value.length) } }
}
