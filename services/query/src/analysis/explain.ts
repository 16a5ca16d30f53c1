import { z } from 'zod'
import { analysis } from './analysis.ts'
import { funnelJson } from './funnel-json.ts'
import { askedFunnel, funnelFields } from './funnel-request.ts'
import { count, time } from './funnel-shapes.ts'

const request = z.strictObject({
  ...funnelFields,
  actor: z
    .string()
    .min(1)
    .max(1000)
    .refine((text) => !text.includes('\0'), 'has a NUL')
    .describe('A user’s UUID or a session id, or with its kind before it: user:…, session:…, property:…'),
})

const answer = z.object({
  events: z.array(
    z.object({
      created_at: time,
      id: z.uuid(),
      event_type: z.string(),
      session_id: z.string().nullable(),
      matches: z.array(count).describe('The steps that it could stand for'),
      chain_step: count.nullable().describe('The step that it stands for in the chain chosen'),
      note: z.string().nullable(),
    }),
  ),
  verdict: z.string().describe('How far this actor came, and what was missing'),
  from: time,
  to: time,
})

export const explain = analysis({
  path: 'funnel/explain',
  name: 'FunnelExplanation',
  summary: 'Why one actor came as far in a funnel as they did: their events, the chain chosen, what was missing.',
  request,
  answer,
  // Whose a session is may be decided outside of the range, too, by an event of any time.
  range: () => null,
  async run({ client, nowMs }, { actor, ...given }) {
    const { range } = askedFunnel(given, nowMs)
    const { rows } = await client.query<EventRow>(SELECT_EXPLANATION, [funnelJson(given, range), actor])
    const events = rows.flatMap(({ created_at, id, event_type, matches, ...row }) =>
      created_at === null ? [] : [{ ...row, created_at, id: id!, event_type: event_type!, matches: matches ?? [] }],
    )
    return { events, verdict: rows.find((row) => row.created_at === null)?.note ?? '', from: range.from, to: range.to }
  },
  csv: {
    columns: ['created_at', 'id', 'event_type', 'session_id', 'matches', 'chain_step', 'note'],
    rows: ({ events, verdict }) => [
      ...events.map((row) => [
        ...[row.created_at, row.id, row.event_type, row.session_id],
        ...[row.matches.join(' '), row.chain_step, row.note],
      ]),
      [null, null, null, null, null, null, verdict],
    ],
  },
})

interface EventRow {
  created_at: string | null
  id: string | null
  event_type: string | null
  session_id: string | null
  matches: number[] | null
  chain_step: number | null
  note: string | null
}

const SELECT_EXPLANATION = `
select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at, id, event_type, session_id,
       matches, chain_step, note
  from public.explain_actor($1::jsonb, $2::text)`
