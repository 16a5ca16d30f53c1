import { createHash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Source } from './source.ts'

const fileSchema = z.object({
  version: z.literal(1),
  sources: z.array(
    z.object({
      sourceId: z.int(),
      name: z.string(),
      writeKey: z.string(),
      secretKeyHash: z.string().nullable(),
      allowedOrigins: z.array(z.string()),
      userIds: z.enum(['trust', 'verify', 'drop']),
      eventsPerSecond: z.number().nullable(),
    }) satisfies z.ZodType<Source>,
  ),
})

/**
 * Reads the last good copy of the sources. Null when there is none yet.
 *
 * @throws Error when the file is there but cannot be read or is not ours
 */
export async function readSourcesFile(file: string): Promise<Source[] | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  return fileSchema.parse(JSON.parse(text)).sources
}

/** Replaces the copy at once or not at all. Readable by its owner only: it names keys. */
export async function writeSourcesFile(file: string, sources: Source[]): Promise<void> {
  const next = `${file}.${process.pid}.new`
  await writeFile(next, `${JSON.stringify({ version: 1, sources }, null, 2)}\n`, { mode: 0o600 })
  await rename(next, file)
}

/** The copy's place. Keys of one database must not open another: each has a file of its own, whatever the login. */
export function sourcesFile(dataDir: string, databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl)
  const database = createHash('sha256').update(`${host}${pathname}`).digest('hex').slice(0, 8)
  return join(dataDir, `sources-${database}.json`)
}
