import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import { type AskAs, asCaller, type Caller } from '../support/callers.ts'
import { type MadeGuest, makeGuest, makeUser } from '../support/guests.ts'

/** Two users with rows of their own, two guests, an admin. */
export interface People {
  A: string
  B: string
  admin: string
  G: MadeGuest
  H: MadeGuest
}

/** A table under the matrix: a row of each owner, and how one more is made for them. Every text of a row of X holds `secret-X`. */
export interface MatrixTable {
  name: string
  rows: Record<string, string>
  insert: (owner: string, id: string) => string
  /** The same as a guest may, who does not choose the id. */
  insertOfGuest?: (owner: string) => string
  /** What a caller reads, where not all. */
  read?: string
  /** What an update sets. */
  set: string
  /** What would make it somebody else's. */
  giveAway?: string
}

export async function makePeople(pool: Pool): Promise<People> {
  const people = {
    A: await makeUser(pool),
    B: await makeUser(pool),
    admin: await makeUser(pool),
    G: await makeGuest(pool),
    H: await makeGuest(pool),
  }
  await pool.query(`insert into profiles (id, role) values ($1, 'admin')`, [people.admin])
  for (const owner of ['G', 'H'] as const)
    await pool.query('update guest_sessions set full_name = $2 where id = $1', [people[owner].id, `secret-${owner}`])
  return people
}

export async function makeTables(pool: Pool, people: People): Promise<MatrixTable[]> {
  const user = (owner: string) => people[owner as 'A' | 'B']
  const guest = (owner: string) => people[owner as 'G' | 'H'].id
  const conversations = { A: randomUUID(), B: randomUUID() }
  const tables: Omit<MatrixTable, 'rows'>[] = [
    {
      name: 'amara_conversations',
      insert: (owner, id) => `insert into amara_conversations (id, user_id) values ('${id}', '${user(owner)}')`,
      set: `locale = 'es'`,
      giveAway: `user_id = '${people.B}'`,
    },
    {
      name: 'amara_messages',
      insert: (owner, id) =>
        `insert into amara_messages (id, conversation_id, role, content) values ('${id}', '${conversations[owner as 'A']}', 'user', 'secret-${owner}')`,
      set: `content = 'x'`,
      giveAway: `conversation_id = '${conversations.B}'`,
    },
    {
      name: 'bookings',
      insert: (owner, id) =>
        'AB'.includes(owner)
          ? `insert into bookings (id, customer_id, notes) values ('${id}', '${user(owner)}', 'secret-${owner}')`
          : `insert into bookings (id, guest_session_id, notes) values ('${id}', '${guest(owner)}', 'secret-${owner}')`,
      insertOfGuest: (owner) =>
        `insert into bookings (guest_session_id, notes) values ('${guest(owner)}', 'secret-${owner}')`,
      read: 'id, service, status',
      set: `notes = 'x'`,
      giveAway: `customer_id = '${people.B}'`,
    },
    {
      name: 'referrals',
      insert: (owner, id) =>
        `insert into referrals (id, referrer_id, status, referrer_credit_amount) values ('${id}', '${user(owner)}', 'rewarded', 5)`,
      set: `status = 'x'`,
      giveAway: `referrer_id = '${people.B}'`,
    },
    {
      name: 'notifications',
      insert: (owner, id) =>
        `insert into notifications (id, user_id, title) values ('${id}', '${user(owner)}', 'secret-${owner}')`,
      set: `title = 'x'`,
      giveAway: `user_id = '${people.B}'`,
    },
  ]
  const made: MatrixTable[] = [
    {
      name: 'guest_sessions',
      rows: { G: people.G.id, H: people.H.id },
      insert: (_, id) =>
        `insert into guest_sessions (session_token, email, full_name) values ('tok-${id}', 'new@example.com', 'New')`,
      set: `full_name = 'x'`,
    },
  ]
  for (const table of tables) {
    const rows: Record<string, string> = {}
    for (const owner of table.name === 'bookings' ? ['A', 'B', 'G', 'H'] : ['A', 'B']) {
      rows[owner] = table.name === 'amara_conversations' ? conversations[owner as 'A'] : randomUUID()
      await pool.query(table.insert(owner, rows[owner]))
    }
    made.push({ ...table, rows })
  }
  return made
}

/**
 * What a caller can do with each owner's row: their letters, `·` where all statements ran and found nothing, `×` where all were refused (42501).
 *
 * @param told gets every row and error that came, with the owner of the row that was asked for
 */
export async function matrixCell(
  pool: Pool,
  caller: Caller,
  table: MatrixTable,
  verb: string,
  told: (owner: string, text: string) => void,
): Promise<string> {
  return await asCaller(pool, caller, async (ask) => {
    let can = ''
    let refused = 0
    for (const [owner, id] of Object.entries(table.rows)) {
      const end = await attempt(ask, statement(table, verb, owner, id))
      if (end.rowCount === null) refused += 1
      else if (end.rowCount > 0) can += owner
      told(owner, end.text)
    }
    if (can !== '') return can
    return refused === Object.keys(table.rows).length ? '×' : '·'
  })
}

function statement(table: MatrixTable, verb: string, owner: string, id: string): string {
  switch (verb) {
    case 'insert':
      return table.insertOfGuest !== undefined && 'GH'.includes(owner)
        ? table.insertOfGuest(owner)
        : table.insert(owner, randomUUID())
    case 'update':
      return `update ${table.name} set ${table.set} where id = '${id}'`
    case 'delete':
      return `delete from ${table.name} where id = '${id}'`
    default:
      return `select ${table.read ?? '*'} from ${table.name} where id = '${id}'`
  }
}

/** Runs a statement and undoes it. rowCount is null where it was refused (42501); any other error is thrown. */
async function attempt(ask: AskAs, sql: string): Promise<{ rowCount: number | null; text: string }> {
  await ask('savepoint attempt')
  try {
    const { rowCount, rows } = await ask(sql)
    return { rowCount: rowCount ?? 0, text: JSON.stringify(rows) }
  } catch (error) {
    const { code } = error as { code?: string }
    // A foreign key held it back: so the row was reached.
    if (code !== '42501' && code !== '23503') throw error
    return {
      rowCount: code === '23503' ? 1 : null,
      text: JSON.stringify({ ...(error as object), message: String(error) }),
    }
  } finally {
    await ask('rollback to savepoint attempt')
  }
}
