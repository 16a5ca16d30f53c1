import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { DEPRECATED, makes } from './expected.ts'
import type { Diagnosis, Finding, Names } from './finding.ts'

/** A call of supabase-js that names a table, view or function. */
export interface Reference {
  kind: 'from' | 'rpc'
  /** `schema.name` */
  name: string
  /** From 1. */
  line: number
}

/** What source files under a folder refer to and the database lacks. */
export async function checkCode(folder: string, names: Names): Promise<Diagnosis> {
  const places = new Map<string, { reference: Reference; at: string[] }>()
  let files = 0
  let calls = 0
  for await (const path of sourceFiles(folder)) {
    files += 1
    for (const reference of referencesIn(await readFile(path, 'utf8'))) {
      calls += 1
      const key = `${reference.kind} ${reference.name}`
      const place = places.get(key) ?? { reference, at: [] }
      place.at.push(`${relative(folder, path)}:${reference.line}`)
      places.set(key, place)
    }
  }
  const findings = [...places.values()].flatMap(({ reference, at }) => findingsOf(reference, at, names))
  return { looked: { 'source files': files, 'calls of supabase-js': calls }, findings }
}

/**
 * Calls `.from('name')` and `.rpc('name'` in the text of a source file: in any quotes, over lines, with `.schema('name')` before them. Not those of
 * Array, Buffer and other constructors, nor of `.storage`, nor names that are put together, nor what stands in comments.
 */
export function referencesIn(source: string): Reference[] {
  const quoted: { from: number; to: number }[] = []
  const text = source.replace(STRING_OR_COMMENT, (part, at: number) => {
    if (part.startsWith('/')) return part.replace(/[^\n]/g, ' ')
    if (!part.startsWith('`')) quoted.push({ from: at, to: at + part.length })
    return part
  })
  const found: Reference[] = []
  let [line, counted, next] = [1, 0, 0]
  for (const match of text.matchAll(CALL)) {
    const before = text.slice(Math.max(0, match.index - 200), match.index)
    while (next < quoted.length && quoted[next]!.to <= match.index) next += 1
    if (NOT_A_CLIENT.test(before) || (quoted[next]?.from ?? Number.POSITIVE_INFINITY) < match.index) continue
    const at = match.index + match[0].search(/['"`]/)
    line += text.slice(counted, at).split('\n').length - 1
    counted = at
    found.push({
      kind: match[1] as Reference['kind'],
      name: `${SCHEMA.exec(before)?.[1] ?? 'public'}.${match[3]!}`,
      line,
    })
  }
  return found
}

// Strings end with their line, so that an apostrophe in a page's text hides no more than that.
const STRING_OR_COMMENT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
const CALL = /(?:\?|!)?\s*\.\s*(from|rpc)\s*(?:<[^()]*?>)?\s*\(\s*(['"`])([A-Za-z_][\w$]*)\2/g
const NOT_A_CLIENT = /(?:\b[A-Z]\w*|\.\s*storage|\bstorage)\s*$/
const SCHEMA = /\.\s*schema\s*\(\s*['"`](\w+)['"`]\s*\)\s*$/

function findingsOf({ kind, name }: Reference, at: string[], names: Names): Finding[] {
  const short = name.replace('public.', '')
  const where = `${at.slice(0, 3).join(', ')}${at.length > 3 ? ` and ${at.length - 3} more` : ''}`
  const exists = kind === 'from' ? names.relations.has(name) : names.functions.has(name)
  if (!exists)
    return [
      {
        level: 'error',
        what: `code refers to the ${kind === 'from' ? 'table' : 'function'} ${name}${kind === 'rpc' ? '()' : ''}, which does not exist: ${where}`,
        mend: makes(short) ?? (DEPRECATED.has(short) ? `it is deprecated: mend ${at[0]}` : `make it, or mend ${at[0]}`),
      },
    ]
  if (kind === 'from' && DEPRECATED.has(short))
    return [{ level: 'warning', what: `code refers to the deprecated table ${name}: ${where}`, mend: `mend ${at[0]}` }]
  return []
}

const EXTENSIONS = new Set(['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.vue', '.svelte', '.astro'])
const PASSED_OVER = new Set(['node_modules', 'dist', 'build', 'out', 'coverage'])

async function* sourceFiles(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !entry.name.startsWith('.') && !PASSED_OVER.has(entry.name)) yield* sourceFiles(path)
    else if (entry.isFile() && EXTENSIONS.has(extname(entry.name)) && !entry.name.endsWith('.d.ts')) yield path
  }
}
