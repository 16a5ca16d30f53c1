import { escapeLiteral, type PoolClient } from '@platform-events/postgres'
import { isoOfMicros } from '../iso-micros.ts'
import { FIRST_LOCAL_NO } from '../slices/raw-days.ts'
import { keyOf } from '../slices/raw-sql.ts'
import type { Slices } from '../slices/source.ts'
import type { Unit } from '../slices/wanted.ts'

export interface ActorName {
  /** With its kind before it: user:…, session:…, property:…. */
  actor: string
  user_id: string | null
  session_id: string | null
}

/** An actor's number, and the time of one of its events, microseconds since 1970. */
export interface SeenActor {
  actorNo: number
  micros: number
}

/**
 * Who actors are. Numbers and keys say nothing of that: a row of theirs does, which is found by its time. In the snapshot in which the
 * slices were read.
 *
 * @returns in the order of `seen`
 */
export async function namesOf(
  client: PoolClient,
  unit: Unit,
  { localKeys }: Slices,
  seen: SeenActor[],
): Promise<ActorName[]> {
  if (seen.length === 0) return []
  const numbered = seen.filter(({ actorNo }) => actorNo < FIRST_LOCAL_NO).map(({ actorNo }) => actorNo)
  const keys = await client.query<KeyRow>(SELECT_KEYS, [numbered])
  const keyOfNo = new Map(keys.rows.map((row) => [row.actor_no, row.actor_key]))
  const times = [...new Set(seen.map(({ micros }) => micros))].sort((a, b) => a - b).map(isoOfMicros)
  const found = await client.query<NameRow>(selectNames(unit), [times, times[0], times.at(-1)])
  const names = new Map(found.rows.map(({ key, micros, ...name }) => [`${key}/${micros}`, name]))
  return seen.map(({ actorNo, micros }) => {
    const key = actorNo < FIRST_LOCAL_NO ? keyOfNo.get(actorNo) : String(localKeys[actorNo - FIRST_LOCAL_NO])
    const name = names.get(`${key}/${micros}`)
    if (name === undefined) throw new Error(`actor ${actorNo} has no event at ${micros}`)
    return name
  })
}

interface KeyRow {
  actor_no: number
  actor_key: string
}

const SELECT_KEYS = `
select actor_no, actor_key from events_internal.actors where actor_no = any ($1::int[])`

interface NameRow extends ActorName {
  key: string
  micros: string
}

function selectNames(unit: Unit): string {
  return `
select ${keyOf(unit)} as key, (date_part('epoch', e.created_at) * 1000000)::bigint as micros, ${NAMES[kindOf(unit)](unit)}
  from public.platform_events e
  left join events_internal.session_users s on ${unit === 'session' ? 's.session_id = e.session_id' : 's.session_key = e.actor_key'}
 where e.created_at = any ($1::timestamptz[]) and e.created_at >= $2::timestamptz and e.created_at <= $3::timestamptz`
}

function kindOf(unit: Unit): 'actor' | 'session' | 'property' {
  return typeof unit === 'string' ? unit : 'property'
}

const NAMES = {
  actor: () => `
       case when coalesce(e.user_id, s.user_id) is not null then 'user:' || coalesce(e.user_id, s.user_id)
            else 'session:' || e.session_id end as actor,
       coalesce(e.user_id, s.user_id) as user_id,
       case when coalesce(e.user_id, s.user_id) is null then e.session_id end as session_id`,
  session: () => `'session:' || e.session_id as actor, s.user_id, e.session_id`,
  property: (unit: Unit) =>
    `'property:' || (e.properties ->> ${escapeLiteral((unit as { property: string }).property)}) as actor, null as user_id, null as session_id`,
}
