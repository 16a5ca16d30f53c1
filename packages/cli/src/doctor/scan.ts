import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { DEPRECATED, makes } from './expected.ts'
import type { Diagnosis, Finding, Names } from './finding.ts'
import { type Reference, referencesIn } from './references.ts'

/** What source files under a folder refer to and the database lacks. */
export async function checkCode(folder: string, names: Names): Promise<Diagnosis> {
  const places = new Map<string, { reference: Reference; at: string[] }>()
  let files = 0
  let calls = 0
  let unreadCalls = 0
  for await (const path of sourceFiles(folder)) {
    files += 1
    const { references, unread } = referencesIn(await readFile(path, 'utf8'))
    unreadCalls += unread
    for (const reference of references) {
      if (reference.kind !== 'embed') calls += 1
      const key = `${reference.kind} ${reference.name} ${reference.certain}`
      const place = places.get(key) ?? { reference, at: [] }
      place.at.push(`${relative(folder, path)}:${reference.line}`)
      places.set(key, place)
    }
  }
  const findings = [...places.values()].flatMap(({ reference, at }) => findingsOf(reference, at, names))
  const looked = { 'source files': files, 'calls of supabase-js': calls }
  // Their names are put together: what they refer to nobody has looked at.
  return { looked: unreadCalls === 0 ? looked : { ...looked, 'calls that cannot be read': unreadCalls }, findings }
}

const WHAT = { from: 'table', rpc: 'function', embed: 'embedded table' }

function findingsOf({ kind, name, certain }: Reference, at: string[], names: Names): Finding[] {
  const short = name.replace('public.', '')
  const where = `${at.slice(0, 3).join(', ')}${at.length > 3 ? ` and ${at.length - 3} more` : ''}`
  const exists = kind === 'rpc' ? names.functions.has(name) : names.relations.has(name)
  if (!exists)
    return [
      {
        level: certain && kind !== 'embed' ? 'error' : 'warning',
        what: `code ${certain ? 'refers' : 'may refer'} to the ${WHAT[kind]} ${name}${kind === 'rpc' ? '()' : ''}, which does not exist: ${where}`,
        mend: makes(short) ?? (DEPRECATED.has(short) ? `it is deprecated: mend ${at[0]}` : `make it, or mend ${at[0]}`),
      },
    ]
  if (kind !== 'rpc' && DEPRECATED.has(short))
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
