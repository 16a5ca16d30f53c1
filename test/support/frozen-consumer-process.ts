import { readFileSync, writeSync } from 'node:fs'
import type { LoggedEvent } from '@platform-events/contracts'
import { createPool, type Pool, type PoolClient } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { createConsumer } from '../../services/consumer/src/consumer.ts'
import { sampleRecords } from './sample-events.ts'
import { ScriptedLog } from './scripted-log.ts'

// Run by a test as a process of its own: stops itself (SIGSTOP) in the midst of its first COPY, as a machine does that freezes.
const [connectionString, eventsFile] = process.argv.slice(2)
// Another name than the successor's: a consumer alone follows on standalone, or the other way round.
const pool = createPool({ connectionString: connectionString!, applicationName: 'platform-events standalone' })
freezeInCopy(pool)
const log = new ScriptedLog()
await log.append(sampleRecords(JSON.parse(readFileSync(eventsFile!, 'utf8')) as LoggedEvent[]))
const consumer = createConsumer({
  log,
  pool,
  logger: createLogger({ name: 'child', level: 'silent' }),
  metrics: createMetrics(),
})
await consumer.start()

function freezeInCopy(pool: Pool): void {
  const connect = pool.connect.bind(pool) as (callback?: unknown) => Promise<PoolClient>
  let frozen = false
  pool.connect = (async (callback?: unknown) => {
    if (callback !== undefined) return connect(callback)
    const client = await connect()
    const query = client.query.bind(client) as (...args: unknown[]) => unknown
    client.query = ((...args: unknown[]) => {
      const running = query(...args)
      if (frozen || !isCopy(args[0])) return running
      frozen = true
      const stream = running as { write(part: Buffer): boolean }
      const write = stream.write.bind(stream)
      let parts = 0
      stream.write = (part) => {
        if (++parts === 3) setImmediate(freeze)
        return write(part)
      }
      return running
    }) as typeof client.query
    return client
  }) as typeof pool.connect
}

function isCopy(statement: unknown): boolean {
  return typeof statement === 'object' && statement !== null && 'submit' in statement
}

function freeze(): void {
  writeSync(1, 'frozen\n')
  process.kill(process.pid, 'SIGSTOP')
}
