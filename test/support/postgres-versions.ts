import type { PostgresBinaries } from '@platform-events/postgres'
import { startTestServer } from './embedded-test-server.ts'

/**
 * Starts a server of a given major version; the login is the superuser `postgres`.
 *
 * @throws if version 15 is not installed (its build exists for Linux on x64 alone)
 */
export async function startPostgres(
  version: '15' | '18',
): Promise<{ connectionString: string; stop: () => Promise<void> }> {
  const binaries = version === '15' ? ((await import('postgres-15-linux-x64')) as PostgresBinaries) : undefined
  return await startTestServer(binaries)
}
