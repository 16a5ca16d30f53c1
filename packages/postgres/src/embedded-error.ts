import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Why embedded Postgres cannot run, in one sentence that says how to go on. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EmbeddedPostgresError'
  }
}

/** Less than this and initdb (40 MB) or crash recovery does not get through. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024

/** Turns an error of the file system into a sentence about the folder that was meant. */
export function folderError(error: unknown, folder: string): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(folder, error)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new EmbeddedPostgresError(
      `This user may not write to ${folder} (${code}): give the folder to this user, or set DATA_DIR to another one.`,
      { cause: error },
    )
  }
  return error instanceof Error ? error : new Error(String(error))
}

/** An error when the disk under `folder` is as good as full, else undefined. */
export async function diskFullError(folder: string, cause?: unknown): Promise<EmbeddedPostgresError | undefined> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place)
      return bavail * bsize < LEAST_FREE_BYTES ? diskFull(folder, cause) : undefined
    } catch {
      if (place === dirname(place)) return undefined
    }
  }
}

function diskFull(folder: string, cause: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The disk that holds ${folder} is full: free some space (Postgres wants 64 MB at least), or set DATA_DIR to a folder on another disk.`,
    { cause },
  )
}
