import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { asTable, blocksOf } from './examples.ts'

const FILE = new URL('../../docs/analytics.md', import.meta.url)
const document = readFileSync(FILE, 'utf8')
const blocks = blocksOf(document)
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** What psql would print: every value as Postgres' own text. */
async function run(sql: string): Promise<string> {
  const client = await database.pool.connect()
  try {
    await client.query(`set time zone 'UTC'`)
    const asItIs = { getTypeParser: () => (text: string) => text }
    const results = await client.query({ text: sql, rowMode: 'array', types: asItIs })
    const last = [results].flat().at(-1)!
    return asTable(
      last.fields.map(({ name }) => name),
      last.rows,
    )
  } finally {
    client.release()
  }
}

// The statements of the document, in its order, over one database; a ```text block after one is what it answers.
// UPDATE_DOCS=1 writes the answers into the document instead.
describe('docs/analytics.md', () => {
  const answers: { start: number; end: number; text: string }[] = []

  for (const [at, block] of blocks.entries()) {
    if (block.language !== 'sql') continue
    const answer = blocks[at + 1]?.language === 'text' ? blocks[at + 1] : undefined
    it(`line ${block.line}: ${block.text.split('\n')[0]!.slice(0, 80)}`, async () => {
      const printed = await run(block.text)
      if (answer === undefined) return
      if (process.env['UPDATE_DOCS'] === '1') answers.push({ start: answer.start, end: answer.end, text: printed })
      else expect(printed).toBe(answer.text)
    })
  }

  afterAll(() => {
    if (answers.length === 0) return
    const updated = answers
      .toReversed()
      .reduce((text, { start, end, text: printed }) => text.slice(0, start) + printed + text.slice(end), document)
    writeFileSync(FILE, updated)
  })
})
