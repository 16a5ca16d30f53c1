import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A fresh folder for a DATA_DIR. Open for others to pass, unlike mkdtemp's own mode: as root, embedded Postgres would put
 * its data elsewhere otherwise, where removing this folder would leave it.
 */
export async function makeDataDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'platform-events-'))
  await chmod(path, 0o755)
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
