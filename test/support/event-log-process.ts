import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '@platform-events/runtime'
import { openEventLog } from '../../packages/event-log/src/open.ts'
import { CONSUMED_BEFORE_KILL, MemoryStore, makeRecord, nameOf } from './event-log-subject.ts'

// Run by the contract test as a process of its own, to be killed: prints what it was told is durable, a line each.
const [work, settings, group] = process.argv.slice(2)
const log = await openEventLog(JSON.parse(settings!), createLogger({ name: 'child', level: 'silent' }))

if (work === 'append') {
  // Twenty writers, so that a kill meets commits half done.
  for (let writer = 0; writer < 20; writer += 1) void appendForEver(`writer-${writer}`)
} else {
  const store = new MemoryStore()
  let printed = 0
  await log.consume({
    group: group!,
    maxEvents: 5,
    from: store.from,
    async onBatch(batch) {
      // It hangs with batches under way that will never be stored, and is killed so.
      if (printed >= CONSUMED_BEFORE_KILL) return new Promise<never>(() => undefined)
      printed += 1
      const next = await store.store(batch)
      // One write, whole or not at all: the parent takes it for the commit.
      const ids = batch.records.map((record) => record.headers.batch_id)
      process.stdout.write(`${JSON.stringify({ topicPartition: nameOf(batch.topicPartition), next, ids })}\n`)
      return next
    },
  })
}

async function appendForEver(key: string): Promise<void> {
  for (;;) {
    const record = makeRecord(key, 'x'.repeat(400))
    try {
      await log.append([record])
      process.stdout.write(`${record.headers.batch_id}\n`)
    } catch (error) {
      process.stdout.write(`refused: ${String(error)}\n`)
      await sleep(20)
    }
  }
}
