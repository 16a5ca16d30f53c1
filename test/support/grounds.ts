import { randomBytes } from 'node:crypto'
import { createPool, migrate, type Pool } from '@platform-events/postgres'
import { startPostgres } from './postgres-versions.ts'
import { as, makeSupabaseDatabase, makeSupabaseRoles } from './supabase.ts'

/** A kind of server that the migrations must be right on. */
export interface Ground {
  name: string
  version: '15' | '18'
  kind: 'superuser' | 'owner' | 'supabase-old' | 'supabase-new'
}

export interface GroundServer {
  /** Makes a database as the ground has it before we come, not migrated; or a copy of one that nobody is connected to. */
  createDatabase(copyOf?: GroundDatabase): Promise<GroundDatabase>
  stop(): Promise<void>
}

export interface GroundDatabase {
  /** Of the login that migrates. */
  migratorUrl: string
  superuserUrl: string
}

// Version 15 comes for Linux on x64 alone; in CI its absence is a failure, not a skip.
const versions = (await import('postgres-15-linux-x64').then(
  () => true,
  () => process.env['CI'] === 'true',
))
  ? (['15', '18'] as const)
  : (['18'] as const)

/** Bare Postgres as a superuser, as a login with CREATEROLE that owns the database, and Supabase in two ages: on 15 and 18. */
export const GROUNDS: Ground[] = versions.flatMap((version) =>
  (['superuser', 'owner', 'supabase-old', 'supabase-new'] as const).map((kind) => ({
    name: `${version} ${kind}`,
    version,
    kind,
  })),
)

/** Each kind once, two of each version: for what the schema dump, equal on all, already says. */
export const EACH_KIND: Ground[] = GROUNDS.filter(({ name }) =>
  ['15 owner', '15 supabase-old', '18 superuser', '18 supabase-new'].includes(name),
)

/** The two that differ most, for tests of what the functions compute. */
export const FAR_APART: Ground[] = GROUNDS.filter(({ name }) => name === '15 supabase-old' || name === '18 superuser')

/** Starts a server of this kind, alone in its cluster. */
export async function startGround(ground: Ground): Promise<GroundServer> {
  const server = await startPostgres(ground.version)
  let superuserUrl = server.connectionString
  let migratorUrl = superuserUrl
  if (ground.kind === 'owner') {
    await run(superuserUrl, `create role app login createrole createdb password 'app'`)
    migratorUrl = as(superuserUrl, 'app', 'app')
  } else if (ground.kind !== 'superuser') {
    const urls = await makeSupabaseRoles(superuserUrl)
    superuserUrl = urls.superuserUrl
    migratorUrl = urls.postgresUrl
  }
  return {
    async createDatabase(copyOf) {
      const name = `ground_${randomBytes(4).toString('hex')}`
      const template = copyOf === undefined ? '' : ` template ${new URL(copyOf.superuserUrl).pathname.slice(1)}`
      const owner = decodeURIComponent(new URL(migratorUrl).username)
      await run(superuserUrl, `create database ${name} owner "${owner}"${template}`)
      const database = { migratorUrl: within(migratorUrl, name), superuserUrl: within(superuserUrl, name) }
      if (copyOf !== undefined) return database
      if (ground.kind === 'supabase-old') await makeSupabaseDatabase(database.superuserUrl, 'old')
      if (ground.kind === 'supabase-new') await makeSupabaseDatabase(database.superuserUrl, 'new')
      return database
    },
    stop: server.stop,
  }
}

/** A ground with one migrated database, and pools of its migrating login and of its superuser. */
export async function startMigrated(ground: Ground): Promise<{ pool: Pool; superuser: Pool; stop(): Promise<void> }> {
  const server = await startGround(ground)
  try {
    const database = await server.createDatabase()
    await migrate(database.migratorUrl)
    const pool = createPool({ connectionString: database.migratorUrl, applicationName: 'platform-events tests' })
    const superuser = createPool({ connectionString: database.superuserUrl, applicationName: 'platform-events tests' })
    return {
      pool,
      superuser,
      async stop() {
        await Promise.all([pool.end(), superuser.end()])
        await server.stop()
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

function within(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

async function run(url: string, sql: string): Promise<void> {
  const pool = createPool({ connectionString: url, applicationName: 'platform-events tests', max: 1 })
  try {
    await pool.query(sql)
  } finally {
    await pool.end()
  }
}
