import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@platform-events/postgres'

const DROP = (leaf: string): string => `
do $$
begin
  set local lock_timeout = '300ms';
  if to_regclass('events_internal.${leaf}') is null then raise exception 'is not there'; end if;
  lock table events_internal.${leaf} in access exclusive mode;
  if exists (select from events_internal.${leaf}) then raise exception 'has rows'; end if;
  drop table events_internal.${leaf};
end $$`

/** Drops the partition of a day (`YYYYMMDD`) if it holds no rows. @returns what became of it, in words */
export async function dropEmptyDay(pool: Pool, day: string): Promise<string> {
  let why = ''
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await pool.query(DROP(`platform_events_${day}`))
      return `${day} dropped`
    } catch (error) {
      why = (error as Error).message
      if (why === 'has rows' || why === 'is not there') break
      await sleep(500)
    }
  }
  return `${day} kept (${why})`
}
