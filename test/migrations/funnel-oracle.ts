/** A row as the funnel sees it: who by id, when in any unit. */
export interface FunnelRow {
  userId: string | null
  sessionId: string | null
  eventType: string
  at: number
  /** Breaks ties between rows that claim a session. */
  id: string
}

export interface FunnelQuestion {
  steps: string[]
  from: number
  to: number
  toInclusive: boolean
  window: number
}

/**
 * How many actors reach each step, by trying every choice of one row per step: nothing is shared with the SQL but the
 * words of the definition. Exponential; for a dozen rows an actor.
 */
export function bruteForceFunnel(rows: FunnelRow[], question: FunnelQuestion): number[] {
  const owners = sessionOwners(rows)
  const actors = new Map<string, FunnelRow[]>()
  for (const row of rows) {
    const owner = row.sessionId === null ? undefined : owners.get(row.sessionId)
    const user = row.userId ?? owner
    const actor = user !== undefined ? `u:${user}` : row.sessionId === null ? undefined : `s:${row.sessionId}`
    if (actor === undefined) continue
    if (row.at < question.from || row.at > question.to || (row.at === question.to && !question.toInclusive)) continue
    actors.set(actor, [...(actors.get(actor) ?? []), row])
  }
  const reached = [...actors.values()].map((own) => deepest(own, question, []))
  return question.steps.map((_, step) => reached.filter((depth) => depth > step).length)
}

function deepest(rows: FunnelRow[], question: FunnelQuestion, chain: FunnelRow[]): number {
  let best = chain.length
  const wanted = question.steps[chain.length]
  for (const row of rows) {
    if (row.eventType !== wanted || chain.includes(row)) continue
    const last = chain.at(-1)
    if (last && (row.at < last.at || row.at - chain[0]!.at > question.window)) continue
    best = Math.max(best, deepest(rows, question, [...chain, row]))
  }
  return best
}

/** The user of a session's earliest (at, id) row that carries both: of all rows, inside the range or not. */
function sessionOwners(rows: FunnelRow[]): Map<string, string> {
  const first = new Map<string, FunnelRow>()
  for (const row of rows) {
    if (row.userId === null || row.sessionId === null) continue
    const known = first.get(row.sessionId)
    if (!known || row.at < known.at || (row.at === known.at && row.id < known.id)) first.set(row.sessionId, row)
  }
  return new Map([...first].map(([session, row]) => [session, row.userId!]))
}
