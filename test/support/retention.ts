import { createLogger, createMetrics } from '@platform-events/runtime'
import { type Day, dayAt } from '../../services/retention/src/day.ts'
import { listPartitions } from '../../services/retention/src/partitions.ts'
import { createRetention, type Retention, type RetentionOptions } from '../../services/retention/src/retention.ts'
import { createTestDatabase, type TestDatabase } from './postgres.ts'

export const today = dayAt(Date.now())
/** Noon, so that yesterday is over for long enough. */
const noon = Date.parse(`${today}T12:00:00Z`)

// biome-ignore lint/suspicious/noExplicitAny: rows of whatever a test asks
type Rows = any[]

export interface RetentionFixture {
  database(): TestDatabase
  retention(options?: Partial<RetentionOptions>): Retention
  query(sql: string, values?: unknown[]): Promise<Rows>
  /** The days whose partition is in this state. */
  days(state: string): Promise<Day[]>
  addEvent(day: Day): Promise<Rows>
  /** Runs a statement that an open transaction holds up half-way, and ends its backend there, as a kill would. */
  killWhileWaiting(statement: string, hold: string): Promise<void>
}

/** For tests: a database per test, and retention over it at noon. */
export function retentionFixture(hooks: {
  beforeEach(set: () => Promise<void>): void
  afterEach(clear: () => Promise<void>): void
}): RetentionFixture {
  let database: TestDatabase
  hooks.beforeEach(async () => {
    database = await createTestDatabase()
  })
  hooks.afterEach(() => database.drop())
  const query = async (sql: string, values: unknown[] = []): Promise<Rows> =>
    (await database.pool.query(sql, values)).rows
  return {
    database: () => database,
    retention: (options = {}) =>
      createRetention({
        pool: database.pool,
        logger: createLogger({ name: 'retention', level: 'silent' }),
        metrics: createMetrics(),
        clock: () => noon,
        ...options,
      }),
    query,
    days: async (state) =>
      (await listPartitions(database.pool)).filter((partition) => partition.state === state).map(({ day }) => day),
    addEvent: (day) =>
      query(
        `insert into public.platform_events (event_type, created_at, properties)
         values ('A', $1::date + time '10:00', '{"pro_id": "p1"}')`,
        [day],
      ),
    killWhileWaiting: (statement, hold) => killWhileWaiting(database, statement, hold),
  }
}

async function killWhileWaiting(database: TestDatabase, statement: string, hold: string): Promise<void> {
  const holder = await database.pool.connect()
  await holder.query('begin')
  await holder.query(hold)
  const victim = await database.pool.connect()
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
  const dead = victim.query(statement).then(
    () => undefined,
    (error: Error) => error,
  )
  const isWaiting = async (): Promise<boolean> => {
    const found = await database.pool.query(
      `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`,
      [rows[0]!.pid],
    )
    return found.rowCount === 1
  }
  while (!(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 20))
  await database.pool.query('select pg_terminate_backend($1)', [rows[0]!.pid])
  if ((await dead) === undefined) throw new Error('the statement was not held up')
  victim.release(true)
  await holder.query('rollback')
  holder.release()
}
