import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readdir, readFile, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { canEnter, serverAccount } from './embedded-account.ts'
import { type PostgresBinaries, SHARED_FOLDER } from './embedded-binaries.ts'
import { diskFullError, EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { type Account, runCommand } from './run-command.ts'

/**
 * Decides where the data lies and which account owns it: `<dataDir>/postgres`, or, where the server's own user could
 * not enter dataDir, a folder under `SHARED_FOLDER` that `<dataDir>/postgres.location` then names.
 */
export async function placeData(
  dataDir: string,
  notes: string[],
): Promise<{ dataFolder: string; account: Account | undefined }> {
  const inPlace = join(dataDir, 'postgres')
  const pointer = join(dataDir, 'postgres.location')
  const pointedTo = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  const known = pointedTo !== '' && (await exists(pointedTo)) ? pointedTo : inPlace
  const account = await serverAccount(known, notes)
  if (!account) {
    await refuseForeign(known)
    return { dataFolder: known, account }
  }
  if (await canEnter(account, dirname(known))) return { dataFolder: known, account }
  if (await exists(known)) {
    throw new EmbeddedPostgresError(
      `The data in ${known} belongs to ${account.name}, who may no longer enter a folder above it: ` +
        'open those folders again (chmod o+x).',
    )
  }
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
  const shared = join(SHARED_FOLDER, name)
  try {
    await mkdir(shared, { recursive: true, mode: 0o755 })
    await Promise.all([chmod(SHARED_FOLDER, 0o755), chmod(shared, 0o755)])
    await writeFile(pointer, `${join(shared, 'postgres')}\n`)
  } catch (error) {
    throw folderError(error, SHARED_FOLDER)
  }
  notes.push(
    `Postgres runs as ${account.name}, who cannot enter ${dataDir}: its data lies in ${join(shared, 'postgres')}.`,
  )
  return { dataFolder: join(shared, 'postgres'), account }
}

/**
 * Makes the data folder if there is none. It is made beside its place and renamed when whole, so a kill at any moment
 * leaves a folder that is complete or none; what such kills left is removed.
 */
export async function prepareData(
  dataFolder: string,
  options: { binaries: PostgresBinaries & { major: number }; account: Account | undefined; password: string },
  notes: string[],
): Promise<void> {
  await removeHalfMade(dataFolder, notes)
  if (await exists(dataFolder)) {
    const major = Number.parseInt(await readFile(join(dataFolder, 'PG_VERSION'), 'utf8'), 10)
    if (major === options.binaries.major) return
    throw new EmbeddedPostgresError(
      `The data in ${dataFolder} is of Postgres ${major}, the server here is ${options.binaries.major}: ` +
        'start the version of platform-events that made it, or set DATA_DIR to a new folder.',
    )
  }
  const making = `${dataFolder}.making-${randomBytes(4).toString('hex')}`
  try {
    await initialise(making, options)
    await rename(join(making, 'data'), dataFolder)
  } catch (error) {
    throw (await diskFullError(dataFolder, error)) ?? folderError(error, dataFolder)
  } finally {
    await rm(making, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined)
  }
}

async function initialise(
  making: string,
  options: { binaries: PostgresBinaries & { major: number }; account: Account | undefined; password: string },
): Promise<void> {
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

/** A plain user cannot run a server on data that another user owns. */
async function refuseForeign(dataFolder: string): Promise<void> {
  const owner = (await stat(dataFolder).catch(() => undefined))?.uid
  const self = process.getuid?.()
  if (owner === undefined || self === undefined || owner === self) return
  throw new EmbeddedPostgresError(
    `The data in ${dataFolder} belongs to user ${owner} (it was made when this ran as root): ` +
      'start as root again, or set DATA_DIR to another folder.',
  )
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
}

/** The end of what a program said, on one line. */
export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-6).join(' | ')
}

/** An absolute path without symbolic links, made if absent. */
export async function ensureFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true })
    return await realpath(folder)
  } catch (error) {
    throw folderError(error, folder)
  }
}
