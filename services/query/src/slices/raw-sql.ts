import { SOURCE_COLUMN } from '@platform-events/analytics'
import { escapeLiteral } from '@platform-events/postgres'
import { PROPERTY_OF_THAT_NAME } from './column.ts'
import { dateOfDay } from './day.ts'
import type { Unit, Wanted } from './wanted.ts'

/** Which raw events: those of some ranges of time, and the late ones of some closed days. */
export interface RawSource {
  /** Microseconds since 1970: [from, to). */
  ranges: readonly (readonly [from: number, to: number])[]
  /** Days since 1970 of which segment_changes names rows. */
  lateDays: readonly number[]
  fromMicros: number
  toMicros: number
}

/**
 * Raw events in the order of their actors, for COPY: number of the actor (null: it has none, 0: nobody), its key, time, type, columns.
 * COPY takes no parameters: every name and value stands in it as a literal.
 */
export function rawEventsSql(wanted: Wanted, source: RawSource): string {
  const key = keyOf(wanted.unit)
  const isActor = wanted.unit === 'actor'
  const where: string[] = []
  if (wanted.eventTypes !== null) where.push(isOfTypes(wanted.eventTypes))
  if (!wanted.nobody) where.push(`${key} is not null`)
  return `
copy (
  select case when ${key} is null then 0 ${isActor ? 'else a.actor_no ' : ''}end, ${key}, e.created_at,
         ${['e.event_type', ...wanted.columns.map((column) => columnValue(column, wanted.columnTypes?.get(column)))].join(', ')}
    from ${eventsOf(source)}
    ${isActor ? 'left join events_internal.session_users s on s.session_key = e.actor_key' : ''}
    ${isActor ? `left join events_internal.actors a on a.actor_key = ${key}` : ''}
   ${where.length === 0 ? '' : `where ${where.join(' and ')}`}
   order by 1 nulls last, 2, 3${wanted.sequence ? ', e.id' : ''}
) to stdout (format binary)`
}

/** One range of time stands for itself, so that its index alone may answer. */
function eventsOf({ ranges, lateDays, fromMicros, toMicros }: RawSource): string {
  const within = (from: number, to: number): string =>
    `e.created_at >= ${timestamp(from)} and e.created_at < ${timestamp(to)}`
  const parts = ranges.map(([from, to]) => `select e.* from public.platform_events e where ${within(from, to)}`)
  if (lateDays.length > 0)
    parts.push(`
      select e.*
        from (select distinct c.created_at, c.event_id from events_internal.segment_changes c
               where c.day = any (array[${lateDays.map((day) => `'${dateOfDay(day)}'`).join(', ')}]::date[])) c
        join public.platform_events e on e.created_at = c.created_at and e.id = c.event_id
       where ${within(fromMicros, toMicros)}`)
  return `(${parts.join('\n union all ')}) e`
}

/** The unit of an event as eight bytes; null: it has none. Sessions and values are told apart within one answer only. */
export function keyOf(unit: Unit): string {
  if (unit === 'actor') return 'coalesce(s.user_key, e.actor_key)'
  if (unit === 'session') return 'hashtextextended(e.session_id, 0)'
  return `hashtextextended(e.properties ->> ${escapeLiteral(unit.property)}, 0)`
}

/** To take a value out of its JSON and to carry it costs more than all the rest: only where somebody looks. */
function columnValue(column: string, types: readonly string[] | undefined): string {
  if (column === SOURCE_COLUMN) return 'e.source_id::text'
  const property = column === PROPERTY_OF_THAT_NAME ? SOURCE_COLUMN : column
  const value = `(e.properties -> ${escapeLiteral(property)})::text`
  return types === undefined ? value : `case when ${isOfTypes(types)} then ${value} end`
}

function isOfTypes(types: readonly string[]): string {
  return `e.event_type = any (array[${types.map(escapeLiteral).join(', ')}]::text[])`
}

function timestamp(micros: number): string {
  const ms = Math.floor(micros / 1000)
  const text = new Date(ms).toISOString().slice(0, -1)
  return `'${text}${String(micros - ms * 1000).padStart(3, '0')}Z'::timestamptz`
}
