import type { Pool } from '@platform-events/postgres'

/** An event for a test: `2026-11-01T05:59:59Z SearchStarted ana s-1 {"city":"Cali"}`; `-` for nobody or no session. */
export type Line = string

/** Stores events by direct insert, and makes their days; ids ascend with the order given. Users are names, told apart by their uuid. */
export async function storeLines(pool: Pool, ...lines: Line[]): Promise<void> {
  const rows = lines.map((line) => {
    const [at, type, user = '-', session = '-', ...properties] = line.split(' ')
    return { at, type, user, session, properties: properties.length > 0 ? JSON.parse(properties.join(' ')) : {} }
  })
  await pool.query('select events_internal.create_day(day) from unnest($1::date[]) day', [
    [...new Set(rows.map(({ at }) => at!.slice(0, 10)))],
  ])
  await pool.query(
    `insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at)
     select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, r ->> 'type', md5(nullif(r ->> 'user', '-'))::uuid,
       nullif(r ->> 'session', '-'), r -> 'properties', (r ->> 'at')::timestamptz
     from jsonb_array_elements($1) with ordinality as u (r, n)`,
    [JSON.stringify(rows)],
  )
}

/** What a statement answers, a text a row: `2026-11-01 04:00 | A | 3`, times in UTC, `-` for null. */
export async function linesOf(pool: Pool, sql: string): Promise<string[]> {
  const client = await pool.connect()
  try {
    await client.query(`set timezone = 'UTC'`)
    const asItIs = { getTypeParser: () => (text: string) => text }
    const { rows } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array', types: asItIs } as never)
    return rows.map((row) => row.map((cell) => (cell ?? '-').replace(/:00\+00$/, '')).join(' | '))
  } finally {
    await client.query('reset timezone')
    client.release()
  }
}

/** The refusal of a statement: its message, its hint and its SQLSTATE. */
export async function refusalOf(pool: Pool, sql: string): Promise<{ message: string; hint: string; code: string }> {
  try {
    await pool.query(sql)
  } catch (error) {
    const { message, hint, code } = error as { message: string; hint: string; code: string }
    return { message, hint, code }
  }
  throw new Error(`not refused: ${sql}`)
}
