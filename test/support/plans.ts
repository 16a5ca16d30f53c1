import type { Pool } from '@platform-events/postgres'

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Loops': number
  Plans?: PlanNode[]
}

/** How the statements inside a function read tables. */
export interface TableReads {
  /** Each way a table is read, once, days taken together: `Index Only Scan platform_events event_type_created_at_actor_key`. */
  ways: string[]
  /** The days of platform_events that were read, ascending: `20261102`. */
  days: string[]
}

/**
 * Runs a statement and looks into what is planned inside the functions it calls, which EXPLAIN does not show. Sequential scans are
 * made dear, so that tables of a test are read as large ones would be.
 *
 * @param pool of a superuser's login: auto_explain must be loaded
 */
export async function tableReads(pool: Pool, sql: string): Promise<TableReads> {
  const client = await pool.connect()
  const plans: PlanNode[] = []
  const listen = ({ message }: { message?: string | undefined }): void => {
    const json = message?.match(/plan:\n([\s\S]*)$/)?.[1]
    if (json) plans.push(JSON.parse(json).Plan)
  }
  client.on('notice', listen)
  try {
    await client.query(
      `load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;
       set auto_explain.log_format = json; set auto_explain.log_analyze = on; set auto_explain.log_timing = off; set auto_explain.log_level = notice; set enable_seqscan = off; set enable_bitmapscan = off;
       set max_parallel_workers_per_gather = 0`,
    )
    await client.query(sql)
  } finally {
    client.off('notice', listen)
    client.release(true)
  }
  const ways = new Set<string>()
  const days = new Set<string>()
  const visit = (node: PlanNode): void => {
    const table = node['Relation Name']
    if (table && !table.startsWith('pg_') && node['Actual Loops'] > 0) {
      const day = /^platform_events_(\d{8})$/.exec(table)?.[1]
      if (day) days.add(day)
      const index = node['Index Name']?.replace(/^platform_events_\d{8}_/, '').replace(/_idx\d*$/, '')
      ways.add([node['Node Type'], day ? 'platform_events' : table, index].filter(Boolean).join(' '))
    }
    for (const child of node.Plans ?? []) visit(child)
  }
  for (const plan of plans) visit(plan)
  return { ways: [...ways].sort(), days: [...days].sort() }
}
