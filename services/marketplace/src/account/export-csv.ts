import { PassThrough, pipeline, type Readable } from 'node:stream'
import { copyText, escapeIdentifier, type PoolClient } from '@platform-events/postgres'

/** UTF-8 for spreadsheet programs, which otherwise take the bytes for those of the machine's own code page. */
const BYTE_ORDER_MARK = Buffer.from('\uFEFF')

/**
 * Types whose values are never taken for a formula, or where `-1` is the number that it says: integers, floats, numeric, money, oid, boolean, dates,
 * times, intervals, uuid, json. Domains come as what they are made of.
 */
const NO_TEXT = new Set([16, 20, 21, 23, 26, 114, 700, 701, 790, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 3802])

/** What a cell of a spreadsheet is computed from, by https://owasp.org/www-community/attacks/CSV_Injection */
const FORMULA = String.raw`e'=', e'+', e'-', e'@', e'\t', e'\r', e'\n'`

/**
 * Reads a query as CSV: a byte order mark, a line of the columns' names, the rows. Text that a spreadsheet would take for a formula has a `'` before it.
 * null is an empty field, empty text is `""`.
 *
 * @throws the DatabaseError of a query that cannot be read; later ones come from the stream
 */
export async function copyCsv(client: PoolClient, query: string): Promise<Readable> {
  const { fields } = await client.query(`select * from (${query}) r limit 0`)
  const columns = fields.map(({ name, dataTypeID }) => {
    const column = escapeIdentifier(name)
    if (NO_TEXT.has(dataTypeID)) return `r.${column}`
    const text = `r.${column}::text`
    return `case when left(${text}, 1) in (${FORMULA}) then '''' || ${text} else ${text} end as ${column}`
  })
  const copied = copyText(
    client,
    `copy (select ${columns.join(', ')} from (${query}) r) to stdout (format csv, header)`,
  )
  const marked = new PassThrough()
  marked.write(BYTE_ORDER_MARK)
  // What fails is the stream's error, which its reader hears.
  pipeline(copied, marked, () => undefined)
  return marked
}
