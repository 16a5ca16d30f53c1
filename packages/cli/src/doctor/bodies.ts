import type { Pool } from '@platform-events/postgres'
import type { Diagnosis, Finding, Names } from './finding.ts'

/** Tables that texts of SQL functions name and the database lacks: Postgres finds out only when one is called. */
export async function checkBodies(pool: Pool, names: Names): Promise<Diagnosis> {
  const { rows } = await pool.query<{ name: string; body: string }>(
    `select p.oid::regprocedure::text as name, p.prosrc as body
     from pg_proc p join pg_language l on l.oid = p.prolang join pg_namespace n on n.oid = p.pronamespace
     where l.lanname in ('sql', 'plpgsql') and p.prosqlbody is null
       and n.nspname not in ('pg_catalog', 'information_schema', 'events_internal', 'marketplace_internal')
       and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`,
  )
  const findings = rows.flatMap(({ name, body }) =>
    missingIn(body, names).map(
      (missing): Finding => ({
        level: missing.includes('.') ? 'error' : 'warning',
        what: `the function ${name} names ${missing}, which does not exist`,
        mend: `make the table, or mend the function: \\sf ${name.replace(/\(.*/, '')}`,
      }),
    ),
  )
  return { looked: { 'texts of functions': rows.length }, findings }
}

/**
 * Names of tables in the text of a function that no table has: `schema.name` where the schema exists, and a bare name where one is joined,
 * inserted into, updated or deleted from. A bare name after FROM may be a variable or a call; what is made in the text is there.
 */
export function missingIn(body: string, names: Names): string[] {
  const text = body.replace(COMMENT_OR_STRING, ' ')
  const missing = new Set<string>()
  for (const match of text.matchAll(QUALIFIED)) {
    const [schema, name] = [plain(match[1]!), plain(match[2]!)]
    if (names.schemas.has(schema) && !names.relations.has(`${schema}.${name}`)) missing.add(`${schema}.${name}`)
  }
  const bare = new Set([...names.relations].map((name) => name.slice(name.indexOf('.') + 1)))
  for (const match of text.matchAll(BARE)) {
    const name = plain(match[1] ?? match[2]!)
    if (bare.has(name) || KEYWORDS.has(name) || isMadeIn(text, name)) continue
    missing.add(name)
  }
  return [...missing].sort()
}

const COMMENT_OR_STRING = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g
const NAME = String.raw`("[^"]+"|[a-z_][\w$]*)`
const NO_CALL = String.raw`(?![\w$"]|\s*[.(])`
const QUALIFIED = new RegExp(
  String.raw`\b(?:from|into|update|join)\s+(?:only\s+)?${NAME}\s*\.\s*${NAME}(?![\w$"]|\s*\.|\s*\((?!\s*[\w", ]*\)\s*(?:values|select|overriding)))`,
  'gi',
)
const BARE = new RegExp(
  String.raw`\b(?:insert\s+into|delete\s+from|join)\s+(?:only\s+)?${NAME}(?![\w$"]|\s*\.|\s*\((?!\s*[\w", ]*\)\s*(?:values|select|overriding)))|\bupdate\s+(?:only\s+)?${NAME}${NO_CALL}(?=(?:\s+as)?(?:\s+[a-z_]\w*)?\s+set\b)`,
  'gi',
)
const KEYWORDS = new Set(['lateral', 'only', 'select', 'unnest'])

function plain(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1) : name.toLowerCase()
}

/** By WITH, or as a temporary table. */
function isMadeIn(text: string, name: string): boolean {
  const quoted = name.replace(/[$]/g, '\\$&')
  return new RegExp(
    String.raw`\b"?${quoted}"?\s*(?:\([^()]*\))?\s+as\s+(?:not\s+)?(?:materialized\s+)?\(|\btable\s+(?:if\s+not\s+exists\s+)?"?${quoted}\b`,
    'i',
  ).test(text)
}
