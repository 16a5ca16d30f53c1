import { Backoff } from '@platform-events/runtime'
import type { Consumption } from './event-log.ts'
import { KafkaSession, type SessionOptions } from './kafka-session.ts'
import { StallWatch } from './kafka-stall-watch.ts'

/** Consumes until stopped: a session that ends is followed by a new one, after a pause. */
export function consumeFromKafka(options: Omit<SessionOptions, 'stalls'>, stopGraceMs: number): Consumption {
  const stopping = new AbortController()
  const running = consume({ ...options, stalls: new StallWatch() }, stopGraceMs, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

async function consume(options: SessionOptions, stopGraceMs: number, stopping: AbortSignal): Promise<void> {
  const backoff = new Backoff(200, 10_000)
  const stopped = new Promise<void>((resolve) => stopping.addEventListener('abort', () => resolve(), { once: true }))
  while (!stopping.aborted) {
    const session = new KafkaSession(options)
    const startedAt = performance.now()
    try {
      await Promise.race([session.run(), stopped])
    } catch (err) {
      options.logger.warn({ err, topic: options.topic.name, group: options.consume.group }, 'consumer is built anew')
    }
    await session.end(stopping.aborted ? stopGraceMs : 0)
    if (performance.now() - startedAt > 60_000) backoff.reset()
    if (!stopping.aborted) await backoff.pause(stopping)
  }
}
