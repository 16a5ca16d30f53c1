import type { Pool } from '@platform-events/postgres'

interface Found {
  table: string
  /** Of the texts that were looked for. */
  text: string
  row: string
}

/**
 * For tests: looks for texts, whatever their case, in every row of every table of the database that is not Postgres' own; bytes are read as
 * the text that they hold.
 *
 * @param except tables that are not looked at, 'schema.table'
 * @returns each place, at most one for a table and a text
 */
export async function placesThatHold(superuser: Pool, texts: string[], except: string[] = []): Promise<Found[]> {
  const found: Found[] = []
  const wanted = texts.map((text) => text.toLowerCase())
  for (const { name, bytes } of await tables(superuser)) {
    if (except.includes(name)) continue
    const decoded = bytes.map((column) => `encode(t.${column}, 'escape')`)
    const { rows } = await superuser.query<{ row: string }>(
      `select lower(concat_ws(' ', t::text, ${['null', ...decoded].join(', ')})) as row from ${name} t`,
    )
    for (const [at, text] of wanted.entries()) {
      const row = rows.find((candidate) => candidate.row.includes(text))
      if (row !== undefined) found.push({ table: name, text: texts[at]!, row: row.row.slice(0, 300) })
    }
  }
  return found
}

async function tables(superuser: Pool): Promise<{ name: string; bytes: string[] }[]> {
  const { rows } = await superuser.query<{ name: string; bytes: string[] }>(`
    select format('%I.%I', n.nspname, c.relname) as name,
           array(select quote_ident(a.attname) from pg_attribute a
                 where a.attrelid = c.oid and a.atttypid = 'bytea'::regtype and not a.attisdropped) as bytes
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
     order by 1`)
  return rows
}
