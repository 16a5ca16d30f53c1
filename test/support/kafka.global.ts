import { spawnSync } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { createJvmBroker, type JvmBroker, removeJvmBroker, whyNoJvm } from './kafka-jvm.ts'
import { brokerAnswers } from './kafka-ready.ts'

declare module 'vitest' {
  interface ProvidedContext {
    kafka: ProvidedKafka
  }
}

/** The broker that the tests of this run share. */
export interface ProvidedKafka {
  brokers: string[]
  /** Set when it is the local JVM's: then tests may stop and start it. */
  jvm: JvmBroker | null
  /** Why there is none; tests that need one are skipped with this reason. */
  missing: string | null
}

/** Of Apache Kafka 3.9; what testcontainers starts is Confluent's build. */
const IMAGE = 'confluentinc/cp-kafka:7.9.1'

/** A real broker: KAFKA_BROKERS if set, else Docker's, else Apache Kafka on the local JVM. With CI=true there must be one. */
export default async function setUp(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['KAFKA_BROKERS']
  if (given) return provide(project, { brokers: given.split(','), jvm: null, missing: null })
  if (dockerAnswers()) return await startContainer(project)
  const missing = whyNoJvm()
  if (missing !== null) {
    if (process.env['CI'] === 'true') throw new Error(`The Kafka tests cannot run: ${missing}.`)
    return provide(project, { brokers: [], jvm: null, missing: `no Kafka: ${missing}` })
  }
  const jvm = await createJvmBroker()
  provide(project, { brokers: [`127.0.0.1:${jvm.port}`], jvm, missing: null })
  return () => removeJvmBroker(jvm)
}

function provide(project: TestProject, kafka: ProvidedKafka): undefined {
  project.provide('kafka', kafka)
}

function dockerAnswers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 5000 }).status === 0
}

async function startContainer(project: TestProject): Promise<() => Promise<void>> {
  const { KafkaContainer } = await import('@testcontainers/kafka')
  const container = await new KafkaContainer(IMAGE).withKraft().start()
  const broker = `${container.getHost()}:${container.getMappedPort(9093)}`
  await brokerAnswers(broker)
  provide(project, { brokers: [broker], jvm: null, missing: null })
  return async () => {
    await container.stop()
  }
}
