import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { databaseUrl } from './access.ts'
import { CliError, type Verb, type VerbInput } from './verb.ts'

const SERVICE = fileURLToPath(new URL('../../../services/retention/', import.meta.url))

export const retentionVerb: Verb = {
  usage: '[--keep-days] [--verify-segments]',
  summary: 'Makes days ahead, closes days that are over, drops old ones: once, for cron.',
  options: { 'keep-days': { type: 'string' }, 'verify-segments': { type: 'boolean' } },
  help: [
    '--keep-days <n> drop what is older; 90 unless told',
    '--verify-segments does none of that: makes the segments of closed days anew and compares; exits with 1 if one differs',
    'Exits with 1 if something was not done. The database is DATABASE_URL, else the one of access.json.',
  ],
  async run(input) {
    const keepDays = input.options['keep-days']
    const verifies = input.options['verify-segments'] === true
    const { output, code } = await runService(input, verifies ? '--verify' : '--once', {
      DATABASE_URL: await databaseUrl(input),
      ...(typeof keepDays === 'string' ? { RETENTION_KEEP_DAYS: keepDays } : {}),
    })
    const last = output.trim().split('\n').at(-1) ?? ''
    if (!last.startsWith('{')) throw new CliError(`The retention service ended with ${code} and no report.`)
    const format = verifies ? formatVerified : formatReport
    input.context.out(input.json ? `${last}\n` : format(JSON.parse(last)))
    return code
  },
}

/** Packages do not import services: the service runs by its own start script. */
async function runService(
  input: VerbInput,
  flag: '--once' | '--verify',
  settings: Record<string, string>,
): Promise<{ output: string; code: number }> {
  const child = spawn('npm', ['--silent', 'start', '--', flag, '--json'], {
    cwd: SERVICE,
    env: { ...input.context.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32', // npm is a .cmd there
    signal: input.context.signal,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', input.context.err)
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new CliError(`npm could not be started: ${error.message}`, undefined, error)))
    child.on('close', (code) => resolve({ output, code: code ?? 1 }))
  })
}

interface Report {
  premade: string[]
  repaired: string[]
  dropped: string[]
  closed: string[]
  segmented: string[]
  problems: { step: string; day?: string; message: string }[]
}

/** One line for each thing that was done, one for each that was not. */
export function formatReport(report: Report): string {
  const done = (['premade', 'repaired', 'dropped', 'closed', 'segmented'] as const)
    .filter((what) => report[what].length > 0)
    .map((what) => `${what.padEnd(8)}  ${report[what].join(' ')}`)
  const problems = report.problems.map(
    ({ step, day, message }) => `NOT DONE  ${[step, day].filter(Boolean).join(' ')}: ${message}`,
  )
  const lines = [...done, ...problems]
  return `${lines.length === 0 ? 'Nothing to do.' : lines.join('\n')}\n`
}

/** A line for each verdict, and one for each segment that is not what its rows would make. */
function formatVerified({ verified }: { verified: { day: string; verdict: string; parts: string[] }[] }): string {
  const different = verified.filter(({ verdict }) => verdict === 'different')
  const lines = different.map(({ day, parts }) => `DIFFERENT  ${day}: ${parts.join(', ')}`)
  const same = verified.filter(({ verdict }) => verdict === 'same').length
  return `${[...lines, `${same} of ${verified.length} segments are what their rows make.`].join('\n')}\n`
}
