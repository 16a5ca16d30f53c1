import type { LogRecord } from '@platform-events/event-log'

interface OpenRecord {
  lines: string
  events: number
}

/** Kafka takes 1 MB a record by default, and 500 KB of `1e20`s would come out as 2 MB. */
const RECORD_CHARACTERS = 256 * 1024

/** Gathers the lines of a request into one record for each key (more only where it would become too large). */
export class RecordBuilder {
  readonly #open = new Map<string, OpenRecord>()
  readonly #full: Array<OpenRecord & { key: string }> = []

  add(key: string, line: string): void {
    const record = this.#open.get(key)
    if (record === undefined) {
      this.#open.set(key, { lines: line, events: 1 })
    } else if (record.lines.length + line.length > RECORD_CHARACTERS) {
      this.#full.push({ key, ...record })
      this.#open.set(key, { lines: line, events: 1 })
    } else {
      record.lines += line
      record.events++
    }
  }

  /** All records, those of one key in the order of their events. */
  finish(request: { sourceId: number; batchId: string; receivedAt: string }): LogRecord[] {
    const all = [...this.#full, ...Array.from(this.#open, ([key, record]) => ({ key, ...record }))]
    return all.map(({ key, lines, events }) => ({
      key,
      value: Buffer.from(lines, 'utf8'),
      headers: {
        schema: '1',
        source_id: request.sourceId,
        batch_id: request.batchId,
        received_at: request.receivedAt,
        events,
      },
    }))
  }
}
