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
  const pointer = join(dataDir, 'postgres.location')
  const pointedTo = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  const known = pointedTo !== '' && (await exists(pointedTo)) ? pointedTo : inPlace
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
    await writeFile(pointer, `${dataFolder}\n`)
  } catch (error) {
    throw folderError(error, SHARED_FOLDER)
  }
  return dataFolder
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
