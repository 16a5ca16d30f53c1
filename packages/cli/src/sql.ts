import { createPool, type PoolClient, sqlstateOf } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { table } from './terminal.ts'
import { CliError, type Verb, type VerbInput } from './verb.ts'

export const sqlVerb: Verb = {
  usage: '"<statement>" [--write]',
  summary: 'Asks Postgres, where there is no psql. Reads only, unless --write.',
  options: { write: { type: 'boolean' } },
  help: ['--write         let the statement write', 'The database is DATABASE_URL, else the one of access.json.'],
  async run(input) {
    const statement = input.words.join(' ')
    if (statement.trim() === '') throw new CliError('There is no statement.', 'npx platform-events sql "select 1"')
    for (const result of await ask(await databaseUrl(input), statement, input.options['write'] === true))
      print(result, input)
    return 0
  },
}

interface Result {
  command: string
  rowCount: number | null
  fields: { name: string; dataTypeID: number }[]
  rows: unknown[][]
}

async function ask(url: string, statement: string, write: boolean): Promise<Result[]> {
  const pool = createPool({ connectionString: url, applicationName: 'platform-events sql', max: 1 })
  let client: PoolClient | undefined
  try {
    client = await pool.connect().catch((error) => {
      throw new CliError(`Postgres does not answer: ${error.message}`, 'Run `npm start`, or set DATABASE_URL.', error)
    })
    if (!write) await client.query('set session characteristics as transaction read only')
    const results = (await client.query({ text: statement, rowMode: 'array' })) as unknown as Result | Result[]
    return Array.isArray(results) ? results : [results]
  } catch (error) {
    const sqlstate = sqlstateOf(error)
    if (sqlstate === undefined) throw error
    const help = sqlstate === '25006' ? 'Say --write if you mean it.' : (error as { hint?: string }).hint
    throw new CliError(`${sqlstate} ${(error as Error).message}`, help, error)
  } finally {
    client?.release()
    await pool.end()
  }
}

function print(result: Result, input: VerbInput): void {
  const { fields, rows } = result
  if (input.json) {
    const objects = rows.map((row) => Object.fromEntries(fields.map(({ name }, at) => [name, row[at]])))
    input.context.out(`${JSON.stringify(objects)}\n`)
    return
  }
  if (fields.length === 0) {
    input.context.out(
      `${[result.command, result.rowCount ?? undefined].filter((part) => part !== undefined).join(' ')}\n`,
    )
    return
  }
  const columns = fields.map(({ name, dataTypeID }) =>
    NUMBERS.has(dataTypeID) ? { title: name, align: 'right' as const } : { title: name },
  )
  input.context.out(
    `${table(
      columns,
      rows.map((row) => row.map(cell)),
    )}(${rows.length} rows)\n`,
  )
}

/** int8, int2, int4, oid, float4, float8, numeric. */
const NUMBERS = new Set([20, 21, 23, 26, 700, 701, 1700])

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString()
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
