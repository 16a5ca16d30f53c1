import { createHash, randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { inTransaction, type Pool, type PoolClient } from '@platform-events/postgres'

/** What a person or a script needs in order to use this installation; kept in `DATA_DIR/access.json`, mode 0600. */
export interface Access {
  /** The one origin of everything. */
  url: string
  /** Public: for pages. */
  write_key: string
  /** For servers: its bearer may name any user. */
  secret_key: string
  /** For the query side. */
  operator_token: string
  /** Where psql connects; only for the embedded Postgres (else it is your DATABASE_URL). */
  database_url?: string
  /** Signs users' tokens where the marketplace's module runs and there is no platform that does; see `platform-events marketplace user`. */
  jwt_secret?: string
}

/**
 * Reads the access file, makes keys where there is none, and sees to it that Postgres knows them: also after one of the
 * two was deleted.
 *
 * @returns the notes are for the user
 * @param userIds what the source does with a `user_id` sent with its public key
 */
export async function ensureAccess(
  pool: Pool,
  file: string,
  facts: { url: string; databaseUrl: string | undefined; userIds: 'trust' | 'verify'; signsTokens: boolean },
): Promise<{ access: Access; notes: string[] }> {
  const known = await readAccess(file)
  const access: Access = {
    url: facts.url,
    write_key: known?.write_key ?? newKey('pk_'),
    secret_key: known?.secret_key ?? newKey('sk_'),
    operator_token: known?.operator_token ?? newKey('op_'),
    ...(facts.databaseUrl !== undefined && { database_url: facts.databaseUrl }),
    ...(facts.signsTokens && { jwt_secret: known?.jwt_secret ?? randomBytes(32).toString('base64url') }),
  }
  const others = await inTransaction(pool, async (client) => {
    const others = await registerSource(client, access, facts.userIds)
    await client.query(
      `insert into events_internal.operator_tokens (token_hash, name) values ($1, 'npm start')
       on conflict (token_hash) do nothing`,
      [sha256(access.operator_token)],
    )
    return others
  })
  await writeFile(`${file}.new`, `${JSON.stringify(access, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
  const isNew = known?.write_key === undefined && others > 0
  const notes = isNew
    ? [`${file} held no keys: new ones were made. The ${others} older sources keep theirs, and go on working.`]
    : []
  return { access, notes }
}

/** A source whose access file was lost keeps its name and its keys (pages out there use them); a new one comes beside it. Returns how many others there are. */
async function registerSource(client: PoolClient, access: Access, userIds: 'trust' | 'verify'): Promise<number> {
  const taken = await client.query(
    `select from events_internal.event_sources where name = 'default' and write_key <> $1`,
    [access.write_key],
  )
  const name = taken.rowCount === 0 ? 'default' : `default ${access.write_key.slice(3, 9)}`
  await client.query(
    `insert into events_internal.event_sources (name, write_key, secret_key_hash, user_ids)
     values ($1, $2, $3, $4) on conflict (write_key) do nothing`,
    [name, access.write_key, sha256(access.secret_key), userIds],
  )
  const others = await client.query('select from events_internal.event_sources where write_key <> $1', [
    access.write_key,
  ])
  return others.rowCount ?? 0
}

async function readAccess(file: string): Promise<Partial<Access> | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Partial<Access>
  } catch {
    return undefined
  }
}

function newKey(prefix: 'pk_' | 'sk_' | 'op_'): string {
  return prefix + randomBytes(24).toString('base64url')
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
