import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Why the database was not migrated; what was applied before stays applied, a file that failed left nothing. */
export class MigrationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
  }
}

/** A file `NNNN_name.sql`. */
export interface Migration {
  version: number
  name: string
  sql: string
  /** sha256 of the text, in hex. */
  checksum: string
}

/** @throws MigrationError for a name without a number, and a number twice */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const files: Migration[] = []
  for (const name of names) {
    const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1])
    if (!Number.isInteger(version)) throw new MigrationError(`${name}: a migration is called NNNN_name.sql`)
    const before = files.at(-1)
    if (before?.version === version) throw new MigrationError(`${before.name} and ${name} have the same number`)
    // A checkout may have turned line ends.
    const sql = (await readFile(join(directory, name), 'utf8')).replaceAll('\r\n', '\n')
    files.push({ version, name, sql, checksum: createHash('sha256').update(sql).digest('hex') })
  }
  return files
}
