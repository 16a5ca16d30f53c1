import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { canEnter, serverAccount } from './embedded-account.ts'
import { SHARED_FOLDER } from './embedded-binaries.ts'
import { exists } from './embedded-data.ts'
import { EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { clearLeftOver } from './embedded-leftover.ts'
import type { Account } from './run-command.ts'

/**
 * Decides where the data lies and which account owns it: `<dataDir>/postgres`, or, where the server's own user could
 * not enter dataDir, a folder under `SHARED_FOLDER` that `<dataDir>/postgres.location` then names.
 */
export async function placeData(
  dataDir: string,
  notes: string[],
): Promise<{ dataFolder: string; account: Account | undefined }> {
  const inPlace = join(dataDir, 'postgres')
  const pointer = join(dataDir, POINTER_FILE)
  const pointedTo = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  const known = pointedTo !== '' && (await exists(pointedTo)) ? pointedTo : inPlace
  if (known !== inPlace) await refuseCopy(dataDir, known)
  const account = await serverAccount(known, notes)
  if (!account) {
    await refuseForeign(known)
    return { dataFolder: known, account }
  }
  const reachable = await canEnter(account, dirname(known))
  if (!reachable && (await exists(known))) {
    throw new EmbeddedPostgresError(
      `The data in ${known} belongs to ${account.name}, who may no longer enter a folder above it: ` +
        'open those folders again (chmod o+x).',
    )
  }
  const dataFolder = reachable ? known : await placeApart(dataDir, pointer, notes)
  if (dataFolder !== inPlace) {
    notes.push(`Postgres runs as ${account.name}, who cannot enter ${dataDir}: its data lies in ${dataFolder}.`)
  }
  return { dataFolder, account }
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

/** The pointer is written before there is data, so data without one belongs to a dataDir that somebody removed. */
async function placeApart(dataDir: string, pointer: string, notes: string[]): Promise<string> {
  const folder = join(SHARED_FOLDER, createHash('sha256').update(dataDir).digest('hex').slice(0, 16))
  const dataFolder = join(folder, 'postgres')
  try {
    if (await exists(dataFolder)) {
      await clearLeftOver(dataFolder, [])
      const aside = `${folder}.removed-${Date.now()}`
      await rename(folder, aside)
      notes.push(
        `The data of an earlier ${dataDir}, since removed, was moved to ${aside}: delete it if nobody needs it.`,
      )
    }
    await mkdir(folder, { recursive: true, mode: 0o755 })
    await Promise.all([chmod(SHARED_FOLDER, 0o755), chmod(folder, 0o755)])
    await writeFile(join(folder, DATA_DIR_FILE), `${dataDir}\n`)
    await writeFile(pointer, `${dataFolder}\n`)
  } catch (error) {
    throw folderError(error, SHARED_FOLDER)
  }
  return dataFolder
}

const POINTER_FILE = 'postgres.location'

/** Names, beside data that lies apart, the dataDir that it belongs to. */
const DATA_DIR_FILE = 'data-dir'

/** A dataDir may move, and its pointer with it; but of two with one pointer, the second would end the first's server. */
async function refuseCopy(dataDir: string, dataFolder: string): Promise<void> {
  const beside = join(dirname(dataFolder), DATA_DIR_FILE)
  const owner = (await readFile(beside, 'utf8').catch(() => '')).trim()
  if (owner === '' || owner === dataDir) return
  const itsPointer = (await readFile(join(owner, POINTER_FILE), 'utf8').catch(() => '')).trim()
  if (itsPointer !== dataFolder) {
    await writeFile(beside, `${dataDir}\n`).catch(() => undefined)
    return
  }
  throw new EmbeddedPostgresError(
    `${dataDir} is a copy of ${owner}, and the database in ${dataFolder} belongs to that one: ` +
      `remove ${join(dataDir, POINTER_FILE)} to begin here with an empty database.`,
  )
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
