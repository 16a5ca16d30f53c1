// What `npm run kafka [-- port]` runs: a broker on the local JVM to develop against, gone with its data when stopped.
import { createJvmBroker, removeJvmBroker, whyNoJvm } from './support/kafka-jvm.ts'

const missing = whyNoJvm()
if (missing !== null) {
  console.error(`Apache Kafka cannot be started: ${missing}.`)
  process.exit(1)
}
const port = process.argv[2] === undefined ? {} : { port: Number(process.argv[2]) }
const broker = await createJvmBroker(port)
console.log(
  `Apache Kafka answers. Use it so:\n\n  KAFKA_BROKERS=127.0.0.1:${broker.port} npm start\n\nCtrl-C stops it.`,
)
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void removeJvmBroker(broker).then(() => process.exit(0)))
setInterval(() => undefined, 2 ** 30)
