/** Text of an event as a terminal may show it: control characters, which could rewrite the screen, are spelled out. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/** At most so many characters, the last of them … where something was left out. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}

/** 12345 → 12,345 */
export function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/** A bar of `width` characters at most, in eighths, for a share of 0 to 1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const rest = eighths % 8
  return '█'.repeat(Math.floor(eighths / 8)) + (rest === 0 ? '' : '▏▎▍▌▋▊▉'[rest - 1]!)
}

export interface Column {
  title: string
  align?: 'right'
}

/** Rows under titles, as wide as their content, a cell no wider than 60 characters. */
export function table(columns: Column[], rows: string[][]): string {
  const cells = rows.map((row) => row.map((cell) => fit(printable(cell), 60)))
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)))
  const line = (row: string[]): string =>
    row
      .map((cell, at) => (columns[at]?.align === 'right' ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)]
    .map((text) => `${text}\n`)
    .join('')
}
