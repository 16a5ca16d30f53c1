import type { PoolClient } from '@platform-events/postgres'
import { actorKey } from '../../services/consumer/src/actor-key.ts'
import type { EventRow } from '../../services/consumer/src/event-row.ts'
import { markLateEvents } from '../../services/consumer/src/late-events.ts'
import { claimSessions } from '../../services/consumer/src/session-map.ts'
import { at, type Random } from '../chaos/random.ts'

/** Few of each, so that they meet. */
export const USERS = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`)
const SESSIONS = ['s1', 's2', 's3', 's4', 's5']
const TYPES = ['A', 'B']

/** What a writer draws on. */
export interface World {
  random: Random
  /** UTC days. */
  days: string[]
  /** Of all events that anybody wrote. */
  ids: string[]
}

/** One transaction of a writer. */
type Transaction = (client: PoolClient, world: World) => Promise<void>

/** Everybody who writes what a segment is made of, each in one transaction: as the service does it, as browsers do, and as people do by hand. */
const TRANSACTIONS: Record<string, Transaction> = {
  load,
  guest: (client, world) => insertAs(client, world, 'anon', null),
  login: (client, world) => insertAs(client, world, 'authenticated', at(USERS, world.random())),
  async replay(client, world) {
    const { day, time, id } = newEvent(world)
    const line = { id, event_type: 'A', ...who(world), created_at: `${day}T${time}Z`, properties: { p: 1 } }
    await client.query(
      `with letter as (
         insert into events_internal.dead_letters (source_id, log_id, topic, topic_partition, record_offset, line, reason, raw, received_at)
         values (1, $1, 't', 0, 0, 0, 'refused', convert_to($2, 'UTF8'), $3) returning dead_letter_id)
       select set_config('letter', dead_letter_id::text, true) from letter`.replace(`'letter'`, `'test.letter'`),
      [id, JSON.stringify(line), `${day}T12:00:00Z`],
    )
    await client.query(
      `select * from events_internal.replay_dead_letter(current_setting('test.letter')::bigint, 'ana')`,
    )
  },
  async remove(client, world) {
    await client.query('delete from public.platform_events where id = $1', [known(world)])
  },
  async correct(client, world) {
    await client.query(`update public.platform_events set properties = '{"p": "corrected"}' where id = $1`, [
      known(world),
    ])
  },
  async give(client, world) {
    const user = world.random() < 0.5 ? null : at(USERS, world.random())
    await client.query('update public.platform_events set user_id = $2 where id = $1', [known(world), user])
  },
  async deleteUser(client, world) {
    await client.query('delete from auth.users where id = $1', [at(USERS, world.random())])
    await client.query('insert into auth.users (id) select unnest($1::uuid[]) on conflict do nothing', [USERS])
  },
  async forgetActor(client, world) {
    const actor = world.random() < 0.5 ? `user:${at(USERS, world.random())}` : `session:${at(SESSIONS, world.random())}`
    await client.query('select * from public.forget_actor($1)', [actor])
  },
  async forgetLate(client) {
    await client.query('select events_internal.anonymise_late_events()')
  },
  async forgetSession(client, world) {
    await client.query('delete from events_internal.session_users where session_id = $1', [
      at(SESSIONS, world.random()),
    ])
  },
  async moveSession(client, world) {
    const user = at(USERS, world.random())
    await client.query(
      'update events_internal.session_users set user_id = $2, user_key = events_internal.actor_key($2, null) where session_id = $1',
      [at(SESSIONS, world.random()), user],
    )
  },
}

/** What leaves a segment in use, so that something can be seen. */
const USUAL = ['load', 'guest', 'login']

/** Runs so many transactions by chance, one after the other; some are rolled back, some run at another isolation level. */
export async function writeByChance(client: PoolClient, world: World, transactions: number): Promise<void> {
  for (let n = 0; n < transactions; n += 1) {
    while (world.random() < 0.6) await client.query('select 1 as pause')
    const names = world.random() < 0.7 ? USUAL : Object.keys(TRANSACTIONS)
    const transaction = TRANSACTIONS[at(names, world.random())]!
    const isolation = world.random() < 0.1 ? ' isolation level repeatable read' : ''
    try {
      await client.query(`begin${isolation}`)
      if (isolation !== '') await client.query('select 1 as snapshot')
      await transaction(client, world)
      await client.query(world.random() < 0.9 ? 'commit' : 'rollback')
    } catch (error) {
      await client.query('rollback')
      if (!EXPECTED.has((error as { code?: string }).code ?? '')) throw error
    }
  }
}

/** Serialization failure, deadlock, lock timeout; of forgetActor: a session that is a user's, another isolation level. */
const EXPECTED = new Set(['40001', '40P01', '55P03', '22023', '25000'])

/** As services/consumer/src/load.ts stores rows, and with its own statements behind that. */
async function load(client: PoolClient, world: World): Promise<void> {
  const rows = Array.from({ length: 1 + Math.floor(world.random() * 2) }, () => {
    const { day, time, id } = newEvent(world)
    const { user_id: userId, session_id: sessionId } = who(world)
    const createdAt = Date.parse(`${day}T${time.slice(0, 12)}Z`) * 1000 + Number(time.slice(12))
    return { id, userId, sessionId, createdAt, actorKey: actorKey(userId, sessionId) } as EventRow
  })
  await client.query('savepoint rows')
  if (world.random() < 0.1) await client.query('rollback to savepoint rows')
  await client.query(
    `insert into public.platform_events (id, event_type, user_id, session_id, created_at, source_id, actor_key)
     select id, 'L', user_id, session_id, timestamptz 'epoch' + micros * interval '1 microsecond', 1, actor_key
     from jsonb_to_recordset($1) as r (id uuid, user_id uuid, session_id text, micros bigint, actor_key bigint)`,
    [
      JSON.stringify(
        rows.map(({ id, userId, sessionId, createdAt, actorKey: key }) => ({
          ...{
            id,
            user_id: userId,
            session_id: sessionId,
            micros: createdAt,
            actor_key: key === null ? null : `${key}`,
          },
        })),
      ),
    ],
  )
  await client.query('release savepoint rows')
  await markLateEvents(client, rows)
  await claimSessions(client, rows)
}

async function insertAs(client: PoolClient, world: World, role: string, user: string | null): Promise<void> {
  await client.query(`select set_config('request.jwt.claims', $1, true)`, [JSON.stringify({ role, sub: user })])
  await client.query(`set local role ${role}`)
  const { day, time, id } = newEvent(world)
  await client.query(
    `insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at) values ($1, $2, $3, $4, $5, $6)`,
    [
      id,
      at(TYPES, world.random()),
      user,
      who(world).session_id,
      { p: Math.floor(world.random() * 3) },
      `${day}T${time}Z`,
    ],
  )
  await client.query('reset role')
}

function newEvent(world: World): { id: string; day: string; time: string } {
  const hex = () =>
    Math.floor(world.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  const id = `${hex()}-0000-4000-8000-${hex()}0000`
  world.ids.push(id)
  return {
    id,
    day: at(world.days, world.random()),
    time: `10:00:00.00${Math.floor(world.random() * 3)}00${Math.floor(world.random() * 3)}`,
  }
}

function who(world: World): { user_id: string | null; session_id: string | null } {
  const share = world.random()
  return {
    user_id: share < 0.3 ? at(USERS, world.random()) : null,
    session_id: share < 0.95 ? at(SESSIONS, world.random()) : null,
  }
}

/** Of an event, the later ones more often: it may never have been committed, and then nothing happens. */
function known(world: World): string | undefined {
  return at(world.ids, Math.sqrt(world.random()))
}
