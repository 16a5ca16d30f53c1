import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EventLogSettings } from '@platform-events/event-log'
import { CliError, text, type VerbInput } from './verb.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** What this reads of access.json. */
interface AccessFile {
  url?: string
  operator_token?: string
  database_url?: string
  jwt_secret?: string
}

/** Where the query side is, and the token that it wants. @throws CliError if nothing says so */
export async function apiAccess(input: VerbInput): Promise<{ url: string; token: string }> {
  const { env } = input.context
  const file = await readAccess(env)
  const told = text(input, 'url') ?? env['PLATFORM_EVENTS_URL']
  const url = told ?? file.content.url
  const { database_url } = file.content
  if (told === undefined && env['DATABASE_URL'] && database_url !== undefined && env['DATABASE_URL'] !== database_url)
    throw new CliError(
      `${file.path} is of another installation than DATABASE_URL: whom to ask?`,
      'Give --url and --token (or PLATFORM_EVENTS_URL and PLATFORM_EVENTS_TOKEN), or unset DATABASE_URL.',
    )
  const token = text(input, 'token') ?? env['PLATFORM_EVENTS_TOKEN'] ?? file.content.operator_token
  if (url !== undefined && token !== undefined) return { url: url.replace(/\/+$/, ''), token }
  throw new CliError(`${file.path} does not say where to ask.`, 'Run `npm start` first, or give --url and --token.')
}

/** Where Postgres is. @throws CliError if nothing says so */
export async function databaseUrl(input: VerbInput): Promise<string> {
  const { env } = input.context
  if (env['DATABASE_URL']) return env['DATABASE_URL']
  const file = await readAccess(env)
  if (file.content.database_url !== undefined) return file.content.database_url
  throw new CliError(`Neither DATABASE_URL nor ${file.path} names a database.`, 'Run `npm start`, or set DATABASE_URL.')
}

/** How the tokens of users of this installation are signed. @throws CliError where a platform signs them */
export async function signingSettings(
  input: VerbInput,
): Promise<{ JWT_SECRET: string; JWT_ISSUER: string | undefined; JWT_AUDIENCE: string | undefined }> {
  const { env } = input.context
  const secret = env['JWT_SECRET'] || (await readAccess(env)).content.jwt_secret
  if (secret !== undefined)
    return {
      JWT_SECRET: secret,
      JWT_ISSUER: env['JWT_ISSUER'] || undefined,
      JWT_AUDIENCE: env['JWT_AUDIENCE'] || undefined,
    }
  throw new CliError(
    'Nothing here signs tokens of users.',
    'Run `MARKETPLACE=on npm start` first, which makes a secret for that; or set JWT_SECRET as the services have it.',
  )
}

/** Where the event log is, as the services are told. */
export function logSettings(env: Record<string, string | undefined>): EventLogSettings {
  const { KAFKA_BROKERS, KAFKA_TOPIC } = env
  return { KAFKA_BROKERS, KAFKA_TOPIC: KAFKA_TOPIC || undefined, DATA_DIR: dataDir(env) }
}

/** The options of every verb that asks the query side. */
export const apiOptions = { url: { type: 'string' }, token: { type: 'string' } } as const
export const API_HELP = [
  '--url <url>     where platform-events answers, instead of what access.json says',
  '--token <op_…>  an operator token, or the JWT of an admin',
]

function dataDir(env: Record<string, string | undefined>): string {
  return env['DATA_DIR'] ? resolve(env['DATA_DIR']) : join(ROOT, 'data')
}

async function readAccess(env: Record<string, string | undefined>): Promise<{ path: string; content: AccessFile }> {
  const path = join(dataDir(env), 'access.json')
  try {
    return { path, content: JSON.parse(await readFile(path, 'utf8')) as AccessFile }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path, content: {} }
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`, undefined, error)
  }
}
