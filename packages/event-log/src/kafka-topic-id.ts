import type { Kafka } from 'kafkajs'

/** Identifies a topic for as long as it lives; one deleted and made again has another `topicId`. */
export interface TopicIdentity {
  clusterId: string
  /** UUID in hex; null from a broker that has no topic ids (Kafka before 3.0, and some of its relatives). */
  topicId: string | null
}

/** Metadata, version 12: the oldest with topic ids that also asks by name. */
const METADATA = 3
const VERSION = 12

/** The inner parts of kafkajs 2.2.4 that a request of our own needs. It is pinned to that version. */
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  metadata(of: { topics: string[] }): Promise<{ clusterId: string }>
  brokerPool: {
    seedBroker: {
      versions: Record<number, { maxVersion: number }>
      connectionPool: { send(protocol: { request: object; response: object }): Promise<TopicIdentity> }
    }
  }
}

/**
 * Asks the cluster for the id of a topic. kafkajs speaks no version of the protocol that has it, so this sends one request of
 * its own over a connection of kafkajs, with its TLS and SASL.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_Metadata (KIP-516, KIP-482 for the encoding).
 *
 * @throws Error when the topic is not there, or Kafka is not reached
 */
export async function askTopicIdentity(kafka: Kafka, topic: string): Promise<TopicIdentity> {
  const cluster = createCluster(kafka)
  try {
    await cluster.connect()
    const { versions, connectionPool } = cluster.brokerPool.seedBroker
    if ((versions[METADATA]?.maxVersion ?? 0) < VERSION)
      return { clusterId: (await cluster.metadata({ topics: [topic] })).clusterId, topicId: null }
    return await connectionPool.send({
      request: {
        apiKey: METADATA,
        apiVersion: VERSION,
        apiName: 'Metadata',
        encode: async () => {
          const buf = encodeRequest(topic)
          return { buf, buffer: buf }
        },
      },
      response: {
        decode: async (bytes: Buffer) => decodeResponse(bytes),
        parse: async (identity: unknown) => identity,
      },
    })
  } finally {
    await cluster.disconnect()
  }
}

function createCluster(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  if (symbol === undefined) throw new Error('this is not kafkajs 2.2.4: kafka-topic-id.ts must learn the new version')
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]!
  return create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000 })
}

/** A compact string or array begins with its length + 1; 0 stands for null. */
function encodeRequest(topic: string): Buffer {
  const name = Buffer.from(topic)
  const noTags = [0]
  return Buffer.concat([
    Buffer.from(noTags),
    Buffer.from([2]),
    Buffer.alloc(16),
    varint(name.length + 1),
    name,
    Buffer.from(noTags),
    Buffer.from([0, 0]),
    Buffer.from(noTags),
  ])
}

/** Reads as far as the first topic's id. */
function decodeResponse(bytes: Buffer): TopicIdentity {
  const reader = new Reader(bytes)
  reader.tags()
  reader.skip(4)
  for (let brokers = reader.varint() - 1; brokers > 0; brokers -= 1) {
    reader.skip(4)
    reader.string()
    reader.skip(4)
    reader.string()
    reader.tags()
  }
  const clusterId = reader.string() ?? ''
  reader.skip(4)
  if (reader.varint() - 1 < 1) throw new Error('the cluster said nothing of the topic')
  const error = reader.int16()
  const name = reader.string()
  if (error !== 0) throw new Error(`the cluster gives no id of topic ${name}: Kafka's error ${error}`)
  return { clusterId, topicId: reader.hex(16) }
}

function varint(value: number): Buffer {
  const bytes = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(length: number): void {
    this.#at += length
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  varint(): number {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  string(): string | null {
    const length = this.varint() - 1
    if (length < 0) return null
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  hex(length: number): string {
    this.#at += length
    return this.#bytes.toString('hex', this.#at - length, this.#at)
  }

  tags(): void {
    for (let tags = this.varint(); tags > 0; tags -= 1) {
      this.varint()
      this.skip(this.varint())
    }
  }
}
