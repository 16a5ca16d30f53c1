import { z } from 'zod'

/** Every setting that is wrong, at once, each with what it should be. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(`These settings are wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/**
 * Reads a service's settings from the environment, through its zod object. Empty variables count as absent.
 *
 * @throws ConfigError naming every bad variable
 */
export function readConfig<Schema extends z.ZodObject>(
  schema: Schema,
  env: Record<string, string | undefined>,
): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const result = schema.safeParse(given)
  if (result.success) return result.data
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0] ?? '')
      return `${name}=${shown(name, given[name])}: ${issue.message}`
    }),
  )
}

/** Addresses and secrets may carry passwords: they are not repeated. */
function shown(name: string, value: string | undefined): string {
  if (value === undefined) return '(absent)'
  return /URL|SECRET|KEY|TOKEN|PASSWORD/.test(name) ? '…' : value
}

/** For a `main.ts`: as `readConfig`, but settings that are wrong are told on standard error and end the process. */
export function readConfigOrExit<Schema extends z.ZodObject>(
  schema: Schema,
  env: Record<string, string | undefined>,
): z.output<Schema> {
  try {
    return readConfig(schema, env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

/** Settings that every service has. */
export const commonSettings = {
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number('a port: a whole number from 1 to 65535').int().min(1).max(65535).default(4000),
  DATA_DIR: z.string().default('./data'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
}

/** Settings of a service that takes the platform's JWTs; JWT_SECRET wins where both are given. */
export const tokenSettings = {
  JWT_SECRET: z.string().min(32, 'an HS256 secret has at least 32 characters').optional(),
  JWKS_URL: z.url().optional(),
  /** The `iss` that tokens must have; Supabase's is https://<ref>.supabase.co/auth/v1. Absent: any. */
  JWT_ISSUER: z.string().optional(),
  /** What `aud` must be, or have in it; Supabase's is authenticated. Absent: any. */
  JWT_AUDIENCE: z.string().optional(),
}

const DATABASE =
  'the address of Postgres, postgres://user:password@host:5432/database, with @ : / % in a password as %40 and so on'

/** Settings of a service alone that reaches Postgres. */
export const databaseSettings = {
  DATABASE_URL: z.string(DATABASE).refine(isPostgresUrl, DATABASE),
}

/** As the driver reads it: one without a host names a socket by `?host=`. */
function isPostgresUrl(text: string): boolean {
  if (!/^postgres(ql)?:\/\//.test(text)) return false
  try {
    const { username, password } = new URL(text.replace('@/', '@socket/'))
    decodeURIComponent(username)
    decodeURIComponent(password)
    return true
  } catch {
    return false
  }
}

const BROKERS = 'the brokers, host:port,host:port; without Kafka one process is everything: npm start'
const brokers = z.string(BROKERS).regex(/^[^\s,:]+:\d+(\s*,\s*[^\s,:]+:\d+)*$/, BROKERS)

/** Settings that choose the event log: the local one without brokers. Everybody who shares a log reads them from here. */
export const eventLogSettings = {
  KAFKA_BROKERS: brokers.optional(),
  /** platform.events.v1 unless told; the same for all who share it. */
  KAFKA_TOPIC: z.string().optional(),
}

/** The same for a service alone: the local log belongs to the one process that collects and consumes. */
export const kafkaSettings = { ...eventLogSettings, KAFKA_BROKERS: brokers }

/** Settings of those who consume: where dead letters are published, over Kafka. */
export const deadLetterSettings = {
  /** platform.events.dlq.v1 unless told. */
  KAFKA_DLQ_TOPIC: z.string().optional(),
}

/** Settings of those who collect: what may wait on their disk while Kafka is away. */
export const spoolSettings = {
  SPOOL_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1024 ** 2)
    .default(1024 ** 3),
}
