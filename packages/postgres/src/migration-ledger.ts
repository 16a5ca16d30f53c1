import pg from 'pg'
import { type Migration, MigrationError } from './migration-files.ts'

/** The table `schema_migrations` of a schema: which files were applied here. */
export class MigrationLedger {
  readonly #client: pg.ClientBase
  readonly #schema: string

  constructor(client: pg.ClientBase, schema: string) {
    this.#client = client
    this.#schema = schema
  }

  /** Looks before it makes: `create schema if not exists` wants the right to create even where the schema exists. */
  async make(): Promise<void> {
    const { rows } = await this.#client.query<{ schema: boolean }>('select to_regnamespace($1) is not null as schema', [
      this.#schema,
    ])
    if (!rows[0]!.schema) await this.#client.query(`create schema ${pg.escapeIdentifier(this.#schema)}`)
    if (!(await this.exists())) {
      await this.#client.query(`create table ${this.#table} (
        version int primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now())`)
    }
  }

  async exists(): Promise<boolean> {
    const { rows } = await this.#client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
      this.#table,
    ])
    return rows[0]!.there
  }

  /**
   * The files that were applied, in order.
   *
   * @throws MigrationError if one of them was changed since, or is not among the files
   */
  async applied(files: Migration[]): Promise<Migration[]> {
    const { rows } = await this.#client.query<{ version: number; name: string; checksum: string }>(
      `select version, name, checksum from ${this.#table} order by version`,
    )
    const known = new Map(files.map((file) => [file.version, file]))
    return rows.map((row) => {
      const file = known.get(row.version)
      if (!file) {
        throw new MigrationError(
          `the database is newer than this program: it has ${row.name}, which is not among the files`,
        )
      }
      if (file.checksum !== row.checksum) {
        throw new MigrationError(
          `${file.name} was changed after it was applied: restore it, and put the change in a new file`,
        )
      }
      return file
    })
  }

  async add(file: Migration): Promise<void> {
    await this.#client.query(`insert into ${this.#table} (version, name, checksum) values ($1, $2, $3)`, [
      file.version,
      file.name,
      file.checksum,
    ])
  }

  async remove(file: Migration): Promise<void> {
    await this.#client.query(`delete from ${this.#table} where version = $1`, [file.version])
  }

  get #table(): string {
    return `${pg.escapeIdentifier(this.#schema)}.schema_migrations`
  }
}
