/** A fenced block of a document and where it stands. */
export interface Block {
  language: string
  text: string
  /** 1-based line of its first line of text. */
  line: number
  /** Index of the first character after its opening fence, and of its closing fence. */
  start: number
  end: number
}

/** The fenced blocks of a Markdown text. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => {
    const start = match.index + match[0].indexOf('\n') + 1
    return {
      language: match[1]!,
      text: match[2]!,
      line: markdown.slice(0, start).split('\n').length,
      start,
      end: start + match[2]!.length,
    }
  })
}

/** Rows as psql prints them, without the trailing spaces: names, a rule, a line a row. */
export function asTable(columns: string[], rows: unknown[][]): string {
  const cells = rows.map((row) => row.map(asText))
  const widths = columns.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]!.length)))
  const isNumber = columns.map(
    (_, at) => rows.some((row) => row[at] !== null) && cells.every((row) => /^-?[\d.]*$/.test(row[at]!)),
  )
  const line = (row: string[]): string =>
    row
      .map((cell, at) => (isNumber[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join(' | ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('-+-')
  return `${[line(columns), rule, ...cells.map(line)].join('\n')}\n`
}

function asText(value: unknown): string {
  return value === null ? '' : String(value)
}
