import { randomUUID } from 'node:crypto'
import { inTransaction, type Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLetters, takeLetters } from '../../services/consumer/src/dead-letter-outbox.ts'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'
import { rollupDifferences } from '../support/rollup.ts'

// What these functions compute is tested beside the consumer; here, that the login of the services may call them.
describe.each(EACH_KIND)('what operators call, on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }

  beforeAll(async () => {
    database = await startMigrated(ground)
  })
  afterAll(async () => {
    await database.stop()
  })

  it('mends, replays once, and gives up', async () => {
    const { pool } = database
    const id = randomUUID()
    const dead = async (offset: number) => {
      const { rows } = await pool.query(
        `insert into events_internal.dead_letters (source_id, log_id, topic, topic_partition, record_offset, line, reason, raw, received_at)
         values (1, 'l', 't', 0, $1, 0, 'refused', 'x', now()) returning dead_letter_id as id`,
        [offset],
      )
      return rows[0].id
    }
    const [first, second] = [await dead(1), await dead(2)]
    const created_at = new Date().toISOString()
    const line = JSON.stringify({ id, event_type: 'A', user_id: randomUUID(), session_id: 's', created_at })
    const outcome = async (call: string, values: unknown[]) =>
      (await pool.query(`select outcome from events_internal.${call}`, values)).rows[0].outcome
    expect(await outcome('mend_dead_letter($1, $2, $3)', [first, line, 'ana'])).toBe('mended')
    expect(await outcome('replay_dead_letter($1, $2)', [first, 'ana'])).toBe('replayed')
    expect(await outcome('replay_dead_letter($1, $2)', [first, 'ana'])).toBe('already_resolved')
    expect(await outcome('give_up_dead_letter($1, $2)', [second, 'ana'])).toBe('given_up')
    const { rows } = await pool.query('select id, source_id from public.platform_events')
    expect(rows).toEqual([{ id, source_id: 1 }])
    expect((await pool.query('select session_id from events_internal.session_users')).rows).toEqual([
      { session_id: 's' },
    ])
    expect(await rollupDifferences(pool)).toEqual([])
  })

  it('leaves the outbox of dead letters to the consumer', async () => {
    await inTransaction(database.pool, async (client) => {
      await client.query('insert into events_internal.dead_letter_outbox values (1)')
      expect(await takeLetters(client, { letters: 2, bytes: 1e6 })).toMatchObject([{ id: '1' }])
      await removeLetters(client, ['1'])
      expect(await takeLetters(client, { letters: 2, bytes: 1e6 })).toEqual([])
    })
  })

  it('acknowledges a loss event, once', async () => {
    const { rows } = await database.pool.query(
      `insert into events_internal.loss_events (log_id, topic, topic_partition, reason, stored_offset)
       values ('l', 't', 0, 'log_replaced', 7) returning loss_id as id`,
    )
    const acknowledge = async () =>
      (await database.pool.query(`select events_internal.acknowledge_loss($1, 'ana') as done`, [rows[0].id])).rows[0]
        .done
    expect([await acknowledge(), await acknowledge()]).toEqual([true, false])
  })
})
