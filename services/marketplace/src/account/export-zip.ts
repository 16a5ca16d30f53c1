import type { Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import type { ExportSession } from './export-session.ts'

const README = `Each file is a table in CSV (UTF-8, commas): an empty field has no value, and "" is an empty text.
So that no spreadsheet program runs it as a formula, text that begins with = + - @ or a tab or line break has a ' before it; numbers, dates and the JSON format of this export are unchanged.

Cada archivo es una tabla en CSV (UTF-8, comas): un campo vacío no tiene valor, y "" es un texto vacío.
Para que ningún programa de hojas de cálculo lo ejecute como fórmula, el texto que empieza con = + - @, tabulación o salto de línea lleva un ' delante; los números, las fechas y el formato JSON de esta exportación no cambian.
`

/** A ZIP with one CSV for each table, its first line the names of the columns, and README.txt. It is written as it is read: nothing waits in memory. */
export function exportedZip(session: ExportSession): Readable {
  const zip = new ZipFile()
  const output = zip.outputStream as Readable
  const fail = (error: Error) => {
    output.destroy(error)
  }
  zip.on('error', fail)
  const mtime = new Date(session.exportedAt)
  zip.addBuffer(Buffer.from(README), 'README.txt', { mtime })
  for (const table of session.tables)
    zip.addReadStreamLazy(`${table.name}.csv`, { mtime }, (callback) => {
      session.csv(table).then((csv) => {
        // yazl listens for no error of a stream that it is given so.
        csv.on('error', fail)
        callback(null, csv)
      }, fail)
    })
  zip.end()
  return output
}
