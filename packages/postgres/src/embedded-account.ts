import { stat } from 'node:fs/promises'
import { EmbeddedPostgresError } from './embedded-error.ts'
import { type Account, runCommand } from './run-command.ts'

const NAME = 'postgres'

/**
 * The account that the server must run under: undefined (our own) for a plain user. Postgres refuses to run as
 * root, so root gets the owner of the data where there is some, else the user `postgres`, made if missing.
 */
export async function serverAccount(dataFolder: string, notes: string[]): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(dataFolder).catch(() => undefined)
  if (owner && owner.uid !== 0) return { name: await nameOf(owner.uid), uid: owner.uid, gid: owner.gid }
  const account = await lookUp()
  if (account) return account
  await make()
  const made = await lookUp()
  if (!made) throw new EmbeddedPostgresError(`The user "${NAME}" was made, but cannot be found. ${INSTEAD}`)
  notes.push(`Postgres does not run as root: the system user "${NAME}" was made for it.`)
  return made
}

const INSTEAD = 'Start as a plain user instead, or set DATABASE_URL to a Postgres of your own.'

/** Whether the account can enter a folder, asked by trying (mode bits alone would miss ACLs and the like). */
export async function canEnter(account: Account, folder: string): Promise<boolean> {
  try {
    return (await runCommand('sh', ['-c', 'cd "$1"', 'sh', folder], { account })).code === 0
  } catch (error) {
    throw new EmbeddedPostgresError(
      `Postgres does not run as root, and this process may not switch to ${account.name} (${(error as Error).message}). ${INSTEAD}`,
      { cause: error },
    )
  }
}

async function nameOf(uid: number): Promise<string> {
  const { code, stdout } = await runCommand('id', ['-un', String(uid)])
  return code === 0 ? `the user "${stdout.trim()}"` : `the user ${uid}`
}

async function lookUp(): Promise<Account | undefined> {
  const [uid, gid] = await Promise.all([runCommand('id', ['-u', NAME]), runCommand('id', ['-g', NAME])])
  if (uid.code !== 0 || gid.code !== 0) return undefined
  return { name: `the user "${NAME}"`, uid: Number(uid.stdout), gid: Number(gid.stdout) }
}

async function make(): Promise<void> {
  const steps: [string, string[]][] = [
    ['groupadd', ['--system', '--force', NAME]],
    ['useradd', ['--system', '--gid', NAME, '--no-create-home', '--shell', '/usr/sbin/nologin', NAME]],
  ]
  for (const [command, args] of steps) {
    const failed = (why: string, cause?: unknown): never => {
      throw new EmbeddedPostgresError(
        `Postgres does not run as root, and ${command} could not make the user "${NAME}" (${why}). ${INSTEAD}`,
        { cause },
      )
    }
    const result = await runCommand(command, args).catch((error: Error) => failed(error.message, error))
    if (result.code !== 0) failed(result.stderr.trim() || `exit code ${result.code}`)
  }
}
