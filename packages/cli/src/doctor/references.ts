/** A call of supabase-js that names a table, view or function. */
export interface Reference {
  /** `embed`: a resource within a `select`, which may also be named by a column or a foreign key. */
  kind: 'from' | 'rpc' | 'embed'
  /** `schema.name` */
  name: string
  /** From 1. */
  line: number
  /** False where it may be a call of another library. */
  certain: boolean
}

/**
 * Calls `.from('name')` and `.rpc('name'` in the text of a source file, with what their `select` embeds: in any quotes, over lines, with
 * `.schema('name')` before them, by a `const NAME = 'name'` of the same file. Not those of `.storage` and of constructors (Array, Buffer), nor
 * what stands in comments, in texts, or on a line of `doctor: ignore` or behind a comment of it.
 *
 * @returns unread: how many calls of a client have a name that is put together
 */
export function referencesIn(source: string): { references: Reference[]; unread: number } {
  const { text, quoted } = codeOf(source)
  const lines = source.split('\n')
  const references: Reference[] = []
  let unread = 0
  let [line, counted, next] = [1, 0, 0]
  for (const match of text.matchAll(CALL)) {
    while (next < quoted.length && quoted[next]!.to <= match.index) next += 1
    if ((quoted[next]?.from ?? Number.POSITIVE_INFINITY) < match.index) continue
    const at = match.index + match[0].search(/from|rpc/)
    line += text.slice(counted, at).split('\n').length - 1
    counted = at
    if (/doctor: ignore\b/.test(lines[line - 1]!) || IGNORES_NEXT.test(lines[line - 2] ?? '')) continue

    const before = text.slice(Math.max(0, match.index - 200), match.index)
    const after = text.slice(match.index + match[0].length, match.index + match[0].length + 2000)
    const client = clientOf(before.replace(SCHEMA, ''), after, text)
    if (client === 'none') continue
    const name = nameOf(match[2]!, text)
    if (name === undefined) {
      if (client === 'certain') unread += 1
      continue
    }
    const schema = SCHEMA.exec(before)?.[1] ?? 'public'
    const certain = client === 'certain'
    references.push({ kind: match[1] as 'from' | 'rpc', name: `${schema}.${name}`, line, certain })
    for (const embedded of match[1] === 'from' ? embeddedIn(after) : [])
      references.push({ kind: 'embed', name: `${schema}.${embedded}`, line, certain })
  }
  return { references, unread }
}

// Strings end with their line, so that an apostrophe in a page's text hides no more than that. A regular expression stands where a value may begin.
const NO_CODE =
  /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\/|(?<=(?:[(,=:[!&|?{};]|\breturn)[ \t]*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/g
const CALL =
  /(?:\?|!)?\s*\.\s*(from|rpc)\s*(?:<[^()]*?>)?\s*\(\s*('[^'\n]*'|"[^"\n]*"|`[^`]*`|[A-Za-z_$][\w$.]*)(?=\s*[,)])/g
const SCHEMA = /\.\s*schema\s*\(\s*['"`](\w+)['"`]\s*\)\s*$/
const IGNORES_NEXT = /^\s*\{?\s*\/[/*].*doctor: ignore\b/
const MADE_BY = /create(?:Browser|Server)?Client/

/** Without comments and regular expressions, each character at its place. */
function codeOf(source: string): { text: string; quoted: { from: number; to: number }[] } {
  const quoted: { from: number; to: number }[] = []
  const text = source.replace(NO_CODE, (part, at: number) => {
    if (part.startsWith('/')) return part.replace(/[^\n]/g, ' ')
    if (!part.startsWith('`')) quoted.push({ from: at, to: at + part.length })
    return part
  })
  return { text, quoted }
}

/** What stands before the call: a client by its name, by what made it, or by what follows; perhaps one; or surely none. */
function clientOf(before: string, after: string, text: string): 'certain' | 'perhaps' | 'none' {
  if (/\bstorage\s*$/.test(before)) return 'none'
  const name = /([\w$]+)\s*(?:\([^()]*\)[\s)]*)?[!?\s]*$/.exec(before)?.[1] ?? ''
  const made = new RegExp(`\\b${name.replaceAll('$', '\\$')}\\s*(?::[^=\\n]*)?=\\s*(?:await\\s+)?${MADE_BY.source}\\b`)
  if (/supabase|client|^db$|Db$|DB$/i.test(name) || (name !== '' && made.test(text))) return 'certain'
  if (/^\s*\)\s*\.\s*(?:select|insert|update|upsert|delete)\s*\(/.test(after)) return 'certain'
  return /^[A-Z]/.test(name) ? 'none' : 'perhaps'
}

function nameOf(argument: string, text: string): string | undefined {
  const constant = new RegExp(
    `\\bconst\\s+${argument.replaceAll(/[$.]/g, '\\$&')}\\s*(?::\\s*string\\s*)?=\\s*(['"\`])([^'"\`\\n]*)\\1`,
  )
  const told = /^['"`]/.test(argument) ? argument.slice(1, -1) : constant.exec(text)?.[2]
  return told !== undefined && /^[A-Za-z_][\w$-]*$/.test(told) ? told : undefined
}

/** `select('*, alias:name!hint!inner(*)')` directly behind: the names. `count()` and `id.sum()` are figures. */
function embeddedIn(after: string): string[] {
  const selected = /^\s*\)\s*\.\s*select\s*(?:<[^()]*?>)?\s*\(\s*(['"`])([^'"`]*)\1/.exec(after)?.[2] ?? ''
  return [...selected.matchAll(/(?<![\w.-])([A-Za-z_][\w-]*)(?:![\w-]+)*\s*\(/g)]
    .map((one) => one[1]!)
    .filter((name) => name !== 'count')
}
