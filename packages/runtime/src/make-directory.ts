import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder, and those above it that are absent. Node's own way, `recursive`, never ends where the system says that the parent is
 * there and yet the folder cannot be made (in /proc: Node 20.20, tried).
 *
 * @throws the system's error
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' || dirname(path) === path) return await requireFolder(path, error)
    await makeDirectory(dirname(path))
    await mkdir(path).catch((again: unknown) => requireFolder(path, again))
  }
}

async function requireFolder(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) throw error
}
