import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { PostgresBinaries } from './embedded-binaries.ts'
import { diskFullError, EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { type Account, runCommand } from './run-command.ts'

export interface DataOptions {
  binaries: PostgresBinaries & { major: number }
  account: Account | undefined
  /** Of the superuser. */
  password: string
}

/**
 * Makes the data folder if there is none. It is made beside its place and renamed when whole, so a kill at any moment
 * leaves a folder that is complete or none; what such kills left is removed.
 *
 * @returns whether it was there before
 */
export async function prepareData(dataFolder: string, options: DataOptions, notes: string[]): Promise<boolean> {
  await removeHalfMade(dataFolder, notes)
  if (await exists(dataFolder)) {
    const major = Number.parseInt(await readFile(join(dataFolder, 'PG_VERSION'), 'utf8'), 10)
    if (major === options.binaries.major) return true
    throw new EmbeddedPostgresError(
      `The data in ${dataFolder} is of Postgres ${major}, the server here is ${options.binaries.major}: ` +
        'start the version of platform-events that made it, or set DATA_DIR to a new folder.',
    )
  }
  const making = `${dataFolder}.making-${randomBytes(4).toString('hex')}`
  try {
    await initialise(making, options)
    await rename(join(making, 'data'), dataFolder)
    return false
  } catch (error) {
    throw (await diskFullError(dataFolder, error)) ?? folderError(error, dataFolder)
  } finally {
    await rm(making, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined)
  }
}

async function initialise(making: string, options: DataOptions): Promise<void> {
  const { account, binaries } = options
  const passwordFile = join(making, 'password')
  await mkdir(making, { mode: 0o700 })
  await writeFile(passwordFile, options.password, { mode: 0o600 })
  if (account) await Promise.all([making, passwordFile].map((path) => chown(path, account.uid, account.gid)))
  // Before 17 the only locale without the system's libraries is C, which lowers ASCII letters alone.
  const locale = binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []
  const result = await runCommand(
    binaries.initdb,
    [
      ...['-D', join(making, 'data'), '-U', 'postgres', '--pwfile', passwordFile, '--auth=scram-sha-256'],
      ...['--encoding=UTF8', '--no-locale', ...locale, '--data-checksums'],
    ],
    { account },
  )
  if (result.code !== 0) {
    throw new EmbeddedPostgresError(`Postgres could not make its data folder: ${lastLines(result.stderr)}`)
  }
}

async function removeHalfMade(dataFolder: string, notes: string[]): Promise<void> {
  const folder = dirname(dataFolder)
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(dataFolder)}.making-`)) continue
    // Away first: an initdb that outlived its parent must not go on writing where we remove.
    const trash = join(folder, name.replace('.making-', '.trash-'))
    await rename(join(folder, name), trash)
    notes.push('The last start was killed while it made the Postgres data folder: it is made anew.')
  }
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(dataFolder)}.trash-`)) continue
    await rm(join(folder, name), { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined)
  }
  if (!(await exists(dataFolder)) || (await exists(join(dataFolder, 'global', 'pg_control')))) return
  if (await rmdir(dataFolder).then(...([() => true, () => false] as const))) return
  const aside = `${dataFolder}.broken-${Date.now()}`
  await rename(dataFolder, aside)
  notes.push(`${dataFolder} was no complete Postgres data folder: it was moved to ${aside}, and a new one made.`)
}

/** Whether there is anything at a path, be it closed to us. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
}

/** The end of what a program said, on one line. */
export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-6).join(' | ')
}
