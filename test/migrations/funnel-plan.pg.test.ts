import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { START } from './funnel-journeys.ts'

const DAY_MS = 86_400_000
const midnight = Math.floor(START.getTime() / DAY_MS) * DAY_MS
const day = (offset: number): string => new Date(midnight + offset * DAY_MS).toISOString()

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  const client = await database.pool.connect()
  // Four days as closed ones are: vacuumed, so that the index alone answers. Rows of a commit that is not yet on disk would not be
  // visible to all.
  await client.query('set synchronous_commit = on')
  await client.query(
    `insert into public.platform_events (source_id, properties, event_type, session_id, actor_key, created_at)
     select 1, jsonb_build_object('note', repeat('as wide as events are ', 14)), (array['A', 'B', 'X', 'Y', 'Z'])[n % 5 + 1],
       's' || n % 500, events_internal.actor_key(null, 's' || n % 500), $1::timestamptz + n * interval '17 seconds'
     from generate_series(1, 20000) n`,
    [day(0)],
  )
  await client.query(
    `insert into events_internal.event_rollup_hourly (hour, event_type, shard, n)
     select date_trunc('hour', created_at, 'UTC'), event_type, 0, count(*) from public.platform_events group by 1, 2`,
  )
  await client.query(
    `insert into public.platform_events (event_type, session_id, user_id, created_at) values ('A', 's1', gen_random_uuid(), $1)`,
    [day(1)],
  )
  await client.query('vacuum (analyze) public.platform_events, events_internal.session_users')
  client.release(true)
})
afterAll(() => database.drop())

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Function Name'?: string
  Plans?: PlanNode[]
}

/** The plan as a tree of what each node is, once where siblings are the same, partitions by their day. */
async function shape(query: 'funnel_steps_sql' | 'funnel_rows_sql', funnel: object): Promise<string> {
  const client = await database.pool.connect()
  try {
    const { rows } = await client.query(
      `select events_internal.${query}(events_internal.funnel_definition($1)) as sql`,
      [JSON.stringify({ steps: ['A', 'B'], from: day(1), to: day(3), ...funnel })],
    )
    await client.query(`prepare asked (timestamptz, timestamptz, int, int) as ${rows[0].sql}`)
    const plan = await client.query(`explain (format json, costs off) execute asked ('${day(1)}', '${day(3)}', 0, 1)`)
    return draw(plan.rows[0]['QUERY PLAN'][0].Plan, 0)
  } finally {
    client.release(true)
  }
}

function draw(node: PlanNode, depth: number): string {
  const of = (node['Index Name'] ?? node['Relation Name'] ?? '').replace(/_\d{8}/, '')
  const on = node['Relation Name']?.match(/_(\d{4})(\d\d)(\d\d)$/)
  const offset = on ? (Date.parse(`${on[1]}-${on[2]}-${on[3]}`) - midnight) / DAY_MS : undefined
  const line = `${'  '.repeat(depth)}${node['Node Type']}${of ? ` ${of}` : ''}${offset === undefined ? '' : ` day ${offset}`}`
  return [line, ...new Set((node.Plans ?? []).map((child) => draw(child, depth + 1)))].join('\n')
}

describe('the plan', () => {
  it('of a plain funnel reads the covering index alone, of the days asked', async () => {
    expect(await shape('funnel_steps_sql', {})).toMatchInlineSnapshot(`
      "Sort
        Hash Join
          Append
            Append
              Index Only Scan platform_events_event_type_created_at_actor_key_idx day 1
              Index Only Scan platform_events_event_type_created_at_actor_key_idx day 2
          Hash
            Seq Scan session_users"
    `)
  })

  it('of the rows of any funnel reads each event once, of the days asked', async () => {
    expect(await shape('funnel_rows_sql', {})).toMatchInlineSnapshot(`
      "Sort
        Subquery Scan
          Hash Join
            Append
              Seq Scan platform_events day 1
              Seq Scan platform_events day 2
            Hash
              Seq Scan session_users"
    `)
    expect(await shape('funnel_rows_sql', { mode: 'strict', unit: 'session' })).toMatchInlineSnapshot(`
      "Sort
        Subquery Scan
          Append
            Seq Scan platform_events day 1
            Seq Scan platform_events day 2"
    `)
  })

  it('of a large funnel has a process for each half of the units', async () => {
    const half = (part: number): string =>
      `select ended from events_internal.funnel_levels_of_part('', 2, now(), now(), 1, ${part}, 2) ended`
    const { rows } = await database.pool.query(`explain (format json, costs off) ${half(0)} union all ${half(1)}`)
    expect(draw(rows[0]['QUERY PLAN'][0].Plan, 0)).toMatchInlineSnapshot(`
      "Gather
        Append
          Function Scan"
    `)
  })

  it('of a person reads their events by the index of users and of sessions', async () => {
    const client = await database.pool.connect()
    try {
      const { rows } = await client.query(
        `select events_internal.funnel_rows_sql(d, events_internal.funnel_actor_sql(d, 's1')) as sql from events_internal.funnel_definition($1) d`,
        [JSON.stringify({ steps: ['A', 'B'], from: day(1), to: day(3) })],
      )
      await client.query(`prepare asked (timestamptz, timestamptz, int, int) as ${rows[0].sql}`)
      const plan = await client.query(`explain (format json, costs off) execute asked ('${day(1)}', '${day(3)}', 0, 1)`)
      expect(draw(plan.rows[0]['QUERY PLAN'][0].Plan, 0)).toMatchInlineSnapshot(`
        "Sort
          Subquery Scan
            Nested Loop
              Append
                Bitmap Heap Scan platform_events day 1
                  BitmapOr
                    Bitmap Index Scan platform_events_user_id_created_at_idx
                    Bitmap Index Scan platform_events_session_id_created_at_idx
                Bitmap Heap Scan platform_events day 2
                  BitmapOr
                    Bitmap Index Scan platform_events_user_id_created_at_idx
                    Bitmap Index Scan platform_events_session_id_created_at_idx
              Materialize
                Seq Scan session_users"
      `)
    } finally {
      client.release(true)
    }
  })
})
