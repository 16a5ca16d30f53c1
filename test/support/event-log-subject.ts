import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type {
  ConsumeOptions,
  EventLog,
  LogRecord,
  RecordBatch,
  TopicPartition,
} from '../../packages/event-log/src/event-log.ts'
import type { EventLogSettings } from '../../packages/event-log/src/open.ts'

/** A record of one event whose batch_id names it. */
export function makeRecord(key: string, fill = ''): LogRecord {
  const id = randomUUID()
  return {
    key,
    value: Buffer.from(`${JSON.stringify({ id, event_type: 'Test', properties: { fill } })}\n`),
    headers: { schema: '1', source_id: 7, batch_id: id, received_at: '2026-03-01T12:00:00.000Z', events: 1 },
  }
}

/** Keeps offsets and the ids delivered as a database would: both at once, and only where nobody else got ahead. */
export class MemoryStore {
  readonly offsets = new Map<string, number>()
  readonly ids: string[] = []
  readonly keys = new Map<string, string[]>()

  readonly from = async (topicPartition: TopicPartition): Promise<number | null> =>
    this.offsets.get(nameOf(topicPartition)) ?? null

  readonly store = async (batch: RecordBatch): Promise<number> => {
    const name = nameOf(batch.topicPartition)
    const stored = this.offsets.get(name) ?? null
    if (stored !== batch.storedOffset) return stored ?? 0
    if (batch.signal.aborted) throw new Error('given up')
    this.offsets.set(name, batch.nextOffset)
    for (const { key, headers } of batch.records) {
      this.ids.push(headers.batch_id)
      this.keys.set(key, [...(this.keys.get(key) ?? []), headers.batch_id])
    }
    return batch.nextOffset
  }

  consume(log: EventLog, group: string, options: Partial<ConsumeOptions> = {}) {
    return log.consume({ group, from: this.from, onBatch: this.store, ...options })
  }
}

export function nameOf({ logId, topic, partition }: TopicPartition): string {
  return `${logId}/${topic}/${partition}`
}

/** Batches that the consuming child stores before it hangs. */
export const CONSUMED_BEFORE_KILL = 12

export interface LogChild {
  pid: number
  /** The lines that it has printed. */
  lines: string[]
  /** SIGKILL; resolves when it is gone and its output is read. */
  kill(): Promise<void>
}

/** Starts a process that appends, or consumes, for ever: see event-log-process.ts. */
export function startChild(work: 'append' | 'consume', settings: EventLogSettings, group: string): LogChild {
  const script = fileURLToPath(new URL('./event-log-process.ts', import.meta.url))
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', script, work, JSON.stringify(settings), group],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const lines: string[] = []
  const output = createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line))
  const closed = new Promise<void>((resolve) => output.once('close', resolve))
  return {
    pid: child.pid!,
    lines,
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
  }
}
