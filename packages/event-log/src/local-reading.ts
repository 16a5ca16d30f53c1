import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { LogUnavailableError } from './event-log.ts'
import { LOCAL_TOPIC } from './local.ts'
import { decodeRecord } from './local-record.ts'
import { LOG_FILE } from './local-store.ts'
import type { LogReading, ReadTopicPartition } from './log-reading.ts'

/** Between two looks at the signal; an LMDB reader that pauses for long keeps the writer from using space again. */
const RECORDS_AT_ONCE = 10_000

/**
 * Reads a local log beside the process that has it open: LMDB lets others read, so its lock stays where it is.
 *
 * @throws LogUnavailableError where there is none
 */
export async function readLocalLog(directory: string, reading: LogReading): Promise<ReadTopicPartition[]> {
  const path = join(directory, LOG_FILE)
  if (!existsSync(path)) throw new LogUnavailableError(`there is no local log in ${directory}`)
  const root = open({ path, readOnly: true, overlappingSync: false, maxDbs: 2 })
  try {
    const records = root.openDB<Buffer, number>({ name: 'records', encoding: 'binary' })
    const meta = root.openDB<string | number, string>({ name: 'meta', encoding: 'json' })
    const topicPartition = { logId: String(meta.get('logId')), topic: LOCAL_TOPIC, partition: 0 }
    const [newest] = records.getKeys({ limit: 1, reverse: true })
    const [oldest] = records.getKeys({ limit: 1 })
    const removed = (meta.get('first') as number | undefined) ?? 0
    const [first, end] = [oldest ?? removed, newest === undefined ? removed : newest + 1]
    const wanted = reading.from(topicPartition) ?? first
    for (let at = wanted > end ? first : Math.max(wanted, first); at < end; ) {
      reading.signal.throwIfAborted()
      const upTo = Math.min(end, at + RECORDS_AT_ONCE)
      for (const { key, value } of records.getRange({ start: at, end: upTo }))
        reading.onRecord(decodeRecord(key, value), topicPartition)
      at = upTo
      await new Promise(setImmediate)
    }
    return [{ topicPartition, first, end }]
  } finally {
    await root.close()
  }
}
