import { createPool } from '@platform-events/postgres'
import { signPlatformJwt } from '@platform-events/runtime'
import { databaseUrl, signingSettings } from './access.ts'
import { CliError, type VerbInput } from './verb.ts'

/** Makes a user where no platform does, as one that signs up, and prints the token that the platform would give. */
export async function makeUser(input: VerbInput): Promise<number> {
  const [email] = input.words
  if (email === undefined) throw new CliError('Whose?', 'For example: platform-events marketplace user ana@example.com')
  const signing = await signingSettings(input)
  const pool = createPool({ connectionString: await databaseUrl(input), applicationName: 'platform-events', max: 1 })
  try {
    const { rows } = await pool.query<{ ours: boolean }>(
      `select coalesce(obj_description('auth.users'::regclass) like 'The users of the platform, the least of it%', false) as ours`,
    )
    if (!rows[0]!.ours) throw new CliError('auth.users is the platform’s: sign up there.')
    const known = await pool.query<{ id: string }>(
      'select id from auth.users where email = $1 and deleted_at is null',
      [email],
    )
    const made =
      known.rows[0] ??
      (await pool.query<{ id: string }>('insert into auth.users (email) values ($1) returning id', [email])).rows[0]!
    const token = await signPlatformJwt(signing, made.id)
    if (input.json) input.context.out(`${JSON.stringify({ user_id: made.id, email, token })}\n`)
    else input.context.out(`${token}\n`)
    return 0
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError(
      `The user was not made: ${(error as Error).message}`,
      'Run `MARKETPLACE=on npm start` first.',
      error,
    )
  } finally {
    await pool.end()
  }
}
