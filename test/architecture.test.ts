import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { namedTests, testColumnCells } from './support/named-tests.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(`${root}ARCHITECTURE.md`, 'utf8')
const files = ['packages', 'services', 'test'].flatMap((folder) =>
  readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
    .map((path) => `${folder}/${path}`),
)

describe('ARCHITECTURE.md', () => {
  it('names tests that exist, by their file and by words of their title', () => {
    const named = namedTests(text)
    expect(named.length).toBeGreaterThan(20)
    const wrong = named.flatMap(({ line, file, titles }) => {
      const found = files.filter((path) => `/${path}`.endsWith(`/${file}`))
      if (found.length !== 1) return [`line ${line}: ${found.length} files are called ${file}`]
      const source = readFileSync(root + found[0], 'utf8')
      return titles.filter((title) => !source.includes(title)).map((title) => `line ${line}: ${file} has no “${title}”`)
    })
    expect(wrong).toEqual([])
  })

  it('names a test in every row of a table that has a column of tests', () => {
    const empty = testColumnCells(text).filter(({ cell }) => namedTests(cell).length === 0)
    expect(empty).toEqual([])
  })
})

describe('how tests are named in a document', () => {
  it('a file in backquotes, with or without the words of titles in quotes behind it', () => {
    const line = 'x `a.test.ts` “one”, "two", `dir/b.pg.test.ts`: “three”; “not of a test” `c.ts` “nor this”'
    expect(namedTests(`\n${line}`)).toEqual([
      { line: 2, file: 'a.test.ts', titles: ['one', 'two'] },
      { line: 2, file: 'dir/b.pg.test.ts', titles: ['three', 'not of a test'] },
    ])
  })

  it('a column of tests is told by its heading', () => {
    const table =
      '| what | Test that holds it |\n| --- | --- |\n| a | `a.test.ts` |\n| b | |\n\n| x | y |\n|---|---|\n| 1 | |\n'
    expect(testColumnCells(table)).toEqual([
      { line: 3, cell: '`a.test.ts`' },
      { line: 4, cell: '' },
    ])
  })
})
