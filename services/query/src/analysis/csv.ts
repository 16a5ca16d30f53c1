export type Cell = string | number | boolean | null

/** A spreadsheet takes what begins so for a formula, and an event's properties are anyone's to write. */
const FORMULA = /^[=+\-@\t\r]/
const QUOTED = /[",\r\n]/

/** RFC 4180, with a header; null is an empty field. A text that a spreadsheet would compute gets an apostrophe before it. */
export function csvOf(columns: string[], rows: Cell[][]): string {
  return [columns, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('')
}

function field(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell !== 'string') return String(cell)
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Whether a client would rather have CSV than JSON (RFC 9110, section 12.5.1). */
export function prefersCsv(accept: string | undefined): boolean {
  const csv = quality(accept, ['text/csv', 'text/*'])
  return csv > 0 && csv >= quality(accept, ['application/json', 'application/*'])
}

function quality(accept: string | undefined, names: string[]): number {
  let best = 0
  for (const range of accept?.toLowerCase().split(',') ?? []) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim())
    if (!names.includes(name)) continue
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    best = Math.max(best, q === undefined ? 1 : Number(q.slice(2)) || 0)
  }
  return best
}
