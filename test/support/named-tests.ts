export interface NamedTest {
  /** Of the document, from 1. */
  line: number
  /** The file's name, or the end of its path. */
  file: string
  /** Words of the tests' titles. */
  titles: string[]
}

/** The tests that a document names: a test file in backquotes, and behind it, up to the next backquote, what stands in quotes. */
export function namedTests(markdown: string): NamedTest[] {
  return markdown.split('\n').flatMap((text, index) =>
    [...text.matchAll(/`([\w./-]+\.test\.ts)`([^`]*)/g)].map(([, file, behind]) => ({
      line: index + 1,
      file: file!,
      titles: [...behind!.matchAll(/“([^”]+)”|"([^"]+)"/g)].map(([, curly, straight]) => (curly ?? straight)!),
    })),
  )
}

/** The cells of all columns of tests: those whose heading has the word test in it. */
export function testColumnCells(markdown: string): { line: number; cell: string }[] {
  const cells: { line: number; cell: string }[] = []
  let columns: number[] = []
  let inTable = false
  for (const [index, text] of markdown.split('\n').entries()) {
    if (!text.startsWith('|')) {
      inTable = false
      continue
    }
    const row = text
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (!inTable) columns = row.flatMap((heading, column) => (/\btests?\b/i.test(heading) ? [column] : []))
    else if (!/^\|[\s:|-]+\|$/.test(text))
      for (const column of columns) cells.push({ line: index + 1, cell: row[column] ?? '' })
    inTable = true
  }
  return cells
}
