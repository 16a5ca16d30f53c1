import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { type DataOptions, lastLines } from './embedded-data.ts'
import { EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { runCommand } from './run-command.ts'

/** The superuser's password, from its file (mode 0600), or a new random one. */
export async function keptPassword(file: string): Promise<{ value: string; isNew: boolean }> {
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (kept !== '') return { value: kept, isNew: false }
  const value = randomBytes(24).toString('base64url')
  try {
    await writeFile(`${file}.new`, `${value}\n`, { mode: 0o600 })
    await rename(`${file}.new`, file)
  } catch (error) {
    throw folderError(error, file)
  }
  return { value, isNew: true }
}

/** Gives data whose password file was lost the new one; single-user mode asks for none. */
export async function replacePassword(dataFolder: string, options: DataOptions, notes: string[]): Promise<void> {
  const { code, stderr } = await runCommand(options.binaries.postgres, ['--single', '-D', dataFolder, 'postgres'], {
    account: options.account,
    input: `alter user postgres password '${options.password}'\n`,
  })
  if (code !== 0) throw new EmbeddedPostgresError(`Postgres did not take a new password: ${lastLines(stderr)}`)
  notes.push('The file postgres.password was missing: the database has a new password.')
}
