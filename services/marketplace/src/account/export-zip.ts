import type { Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import type { ExportSession } from './export-session.ts'

/** A ZIP with one CSV for each table, its first line the names of the columns. It is written as it is read: nothing waits in memory. */
export function exportedZip(session: ExportSession): Readable {
  const zip = new ZipFile()
  const output = zip.outputStream as Readable
  zip.on('error', (error: Error) => output.destroy(error))
  const mtime = new Date(session.exportedAt)
  for (const table of session.tables)
    zip.addReadStreamLazy(`${table.name}.csv`, { mtime }, (callback) => callback(null, session.csv(table)))
  zip.end()
  return output
}
