import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createPool, type Pool } from '@platform-events/postgres'
import { databaseUrl } from '../access.ts'
import { CliError, text, type Verb, type VerbInput } from '../verb.ts'
import { checkAccess } from './access.ts'
import { checkBodies } from './bodies.ts'
import { checkDuties } from './duties.ts'
import { type Diagnosis, type Finding, namesOf } from './finding.ts'
import { checkObjects } from './objects.ts'
import { checkCode } from './scan.ts'

export const doctorVerb: Verb = {
  usage: '[--code folder]',
  summary: 'What code refers to and the database lacks, who may do too much, what is overdue: each with what mends it.',
  options: { code: { type: 'string' } },
  help: [
    '--code <folder>  looks for .from(…) and .rpc(…) of supabase-js in its source files, too',
    '                 (a line of `// doctor: ignore`, and the one behind such a comment, are passed over)',
    'Changes nothing. Exits with 1 if there is an error, 0 if there are warnings alone or nothing.',
    'The database is DATABASE_URL, else the one of access.json.',
  ],
  async run(input) {
    const folder = await codeFolder(input)
    const pool = createPool({
      connectionString: await databaseUrl(input),
      applicationName: 'platform-events doctor',
      max: 1,
    })
    try {
      return print(input, await examine(pool, folder))
    } catch (error) {
      throw new CliError(
        `The database cannot be examined: ${(error as Error).message}`,
        'Compare DATABASE_URL with what runs.',
        error,
      )
    } finally {
      await pool.end()
    }
  },
}

async function codeFolder(input: VerbInput): Promise<string | undefined> {
  const told = text(input, 'code')
  if (told === undefined) return undefined
  const folder = resolve(told)
  const found = await stat(folder).catch(() => undefined)
  if (!found?.isDirectory()) throw new CliError(`${folder} is no folder.`)
  return folder
}

async function examine(pool: Pool, folder: string | undefined): Promise<Diagnosis> {
  const names = await namesOf(pool)
  const parts = [
    await checkObjects(pool, names),
    await checkAccess(pool),
    await checkBodies(pool, names),
    await checkDuties(pool, names),
    ...(folder === undefined ? [] : [await checkCode(folder, names)]),
  ]
  return {
    looked: Object.assign({}, ...parts.map(({ looked }) => looked)),
    findings: parts.flatMap(({ findings }) => findings),
  }
}

function print({ context, json }: VerbInput, { looked, findings }: Diagnosis): number {
  const errors = findings.filter(({ level }) => level === 'error')
  if (json) context.out(`${JSON.stringify({ looked, findings })}\n`)
  else {
    for (const finding of [...errors, ...findings.filter(({ level }) => level === 'warning')])
      context.out(lines(finding))
    const at = Object.entries(looked).map(([what, n]) => `${n} ${what}`)
    const found = `${errors.length} errors, ${findings.length - errors.length} warnings`
    context.out(`Looked at ${at.join(', ')}: ${findings.length === 0 ? 'all is well' : found}.\n`)
  }
  return errors.length > 0 ? 1 : 0
}

function lines({ level, what, mend }: Finding): string {
  return `${level === 'error' ? 'ERROR  ' : 'warning'}  ${what}\n         ${mend}\n`
}
