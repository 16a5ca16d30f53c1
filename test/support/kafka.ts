import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { type JvmBroker, signalJvmBroker, startJvmBroker, stopJvmBroker } from './kafka-jvm.ts'

/** Why this run has no broker, or null. Say `context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')` in a beforeEach. */
export function kafkaMissing(): string | null {
  return inject('kafka').missing
}

/** host:port of the broker that this run shares. */
export function kafkaBrokers(): string[] {
  return inject('kafka').brokers
}

/** A topic name that no other test has. */
export function uniqueTopic(name = 'test'): string {
  return `${name}.${randomUUID()}`
}

/** Why this run's broker cannot be stopped and started, or null. */
export function faultsMissing(): string | null {
  return kafkaMissing() ?? (inject('kafka').jvm ? null : 'only a broker on the local JVM is stopped by the tests')
}

/** Ends the broker: SIGKILL is a crash. Start it again before the test ends; the next one needs it. */
export function stopKafka(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
  return stopJvmBroker(jvm(), signal)
}

/** Starts it again on the same port with its data; resolves when it answers. */
export function startKafka(): Promise<void> {
  return startJvmBroker(jvm())
}

/** Freezes the broker: connections stay open and nothing answers. */
export function freezeKafka(): void {
  signalJvmBroker(jvm(), 'SIGSTOP')
}

export function thawKafka(): void {
  signalJvmBroker(jvm(), 'SIGCONT')
}

function jvm(): JvmBroker {
  const broker = inject('kafka').jvm
  if (broker === null) throw new Error(faultsMissing() ?? '')
  return broker
}
