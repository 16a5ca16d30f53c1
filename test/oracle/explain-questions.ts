import { toJson } from './definition.ts'
import { inOrder, type OracleEvent } from './events.ts'
import type { OracleFunnel } from './funnel.ts'
import { walk } from './funnel-answers.ts'
import { matches } from './matches.ts'
import { literal, type Question } from './question.ts'

/** How far one actor came, by SQL: only their chain and what its rows could serve, not the words of the notes. */
export function sqlExplain(funnel: OracleFunnel, actor: string): Question {
  const json = JSON.stringify(toJson(funnel))
  return {
    name: 'explain_actor',
    text: `select * from explain_actor(${[json, actor].map(literal).join(', ')})`,
    expected: (events) => expectedChain(events, funnel, actor),
    got: async ({ pool }) => {
      const { rows } = await pool.query<Explained>(
        'select id, matches, chain_step from public.explain_actor($1, $2) where created_at is not null',
        [json, actor],
      )
      return chainOf(rows, funnel)
    },
  }
}

export function apiExplain(funnel: OracleFunnel, actor: string): Question {
  const body = { ...toJson(funnel), actor }
  return {
    name: 'POST /v1/funnel/explain',
    text: JSON.stringify(body),
    expected: (events) => expectedChain(events, funnel, actor),
    got: async ({ post }) => chainOf((await post('funnel/explain', body)).events, funnel),
  }
}

interface Explained {
  id: string
  matches: number[]
  chain_step: number | null
}

/** The rows that the chain uses, in the order of events; which step a row stands for is left open where steps have no order. */
function chainOf(rows: Explained[], funnel: OracleFunnel): unknown[] {
  return rows
    .filter(({ chain_step }) => chain_step !== null)
    .map(({ id, matches, chain_step }) => [id, matches, funnel.mode === 'unordered' ? null : chain_step])
}

function expectedChain(events: readonly OracleEvent[], funnel: OracleFunnel, actor: string): unknown[] {
  const chain = walk(events, funnel).find(({ unit }) => unit === actor)?.events ?? []
  return inOrder(chain.filter((event) => event !== null)).map((event) => [
    event.id,
    funnel.steps.flatMap((step, index) => (matches(event, step) ? [index + 1] : [])),
    funnel.mode === 'unordered' ? null : chain.indexOf(event) + 1,
  ])
}
