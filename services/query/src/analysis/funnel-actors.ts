import { RequestError } from '@platform-events/contracts'
import { z } from 'zod'
import { isoOfMicros } from '../iso-micros.ts'
import { namesOf } from './actor-names.ts'
import { analysis } from './analysis.ts'
import { readFunnel } from './funnel.ts'
import { askedFunnel, funnelFields } from './funnel-request.ts'
import { count, time } from './funnel-shapes.ts'
import { rangeOf } from './period.ts'

const request = z.strictObject({
  ...funnelFields,
  step: z.int().min(1).max(20),
  outcome: z
    .enum(['converted', 'dropped'], { error: 'wants "converted" or "dropped"' })
    .describe('converted: who reached the step; dropped: who did, and not the next required one'),
  limit: z.int().min(1).max(1000).default(1000),
  cursor: z.string().max(3000).optional().describe('next_cursor of the page before'),
})

const answer = z.object({
  actors: z.array(
    z.object({
      actor: z.string().describe('user:<uuid>, session:<id> or property:<value>'),
      user_id: z.string().nullable(),
      session_id: z.string().nullable().describe('Of a guest, or where the unit is the session'),
      level: count.describe('Required steps reached'),
      entered_at: time,
      last_step_at: time,
    }),
  ),
  next_cursor: z.string().nullable().describe('Null: this is the last page'),
  from: time,
  to: time,
})

export const funnelActors = analysis({
  path: 'funnel/actors',
  name: 'FunnelActors',
  summary: 'Who reached a step of a funnel, or dropped out after it: by the time of entry, a page at a time.',
  request,
  answer,
  range: rangeOf,
  async run(asking, { step, outcome, limit, cursor, ...given }) {
    const asked = askedFunnel(given, asking.nowMs)
    const { definition, range, unit } = asked
    if (step > definition.steps.length)
      throw new RequestError('invalid_query', `step: this funnel has ${definition.steps.length} steps`)
    if (outcome === 'dropped' && step === definition.steps.length)
      throw new RequestError('invalid_query', 'step: nobody drops out after the last')
    const after = cursor === undefined ? undefined : readCursor(cursor)
    const read = await readFunnel(asking, asked)
    const cursorMicros = after?.micros ?? Number.NEGATIVE_INFINITY
    // One more than asked for says whether there is a next page.
    const question = { walk: 'actors', definition, step, outcome, cursorMicros, limit: limit + 1 } as const
    const found = await asking.walk(question, read.slices)
    const seen = Array.from(found.actorNos, (actorNo, at) => ({ actorNo, micros: found.entered[at]! }))
    const names = await namesOf(asking.client, unit, read, seen)
    const rows = names
      .map((name, at) => ({ ...name, level: found.levels[at]!, entered: found.entered[at]!, last: found.last[at]! }))
      .sort((a, b) => a.entered - b.entered || compare(a.actor, b.actor))
      .filter((row) => after === undefined || row.entered > after.micros || compare(row.actor, after.actor) > 0)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      actors: page.map(({ entered, last: lastStep, ...row }) => ({
        ...row,
        entered_at: isoOfMicros(entered),
        last_step_at: isoOfMicros(lastStep),
      })),
      next_cursor:
        rows.length > limit && last !== undefined ? cursorOf({ micros: last.entered, actor: last.actor }) : null,
      from: range.from,
      to: range.to,
    }
  },
  csv: {
    columns: ['actor', 'user_id', 'session_id', 'level', 'entered_at', 'last_step_at'],
    rows: ({ actors }) =>
      actors.map((row) => [row.actor, row.user_id, row.session_id, row.level, row.entered_at, row.last_step_at]),
  },
})

/** Who was the last of a page. */
interface Cursor {
  micros: number
  actor: string
}

function cursorOf({ micros, actor }: Cursor): string {
  return Buffer.from(JSON.stringify([micros, actor])).toString('base64url')
}

function readCursor(text: string): Cursor {
  try {
    const [micros, actor] = cursorForm.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { micros, actor }
  } catch (cause) {
    throw new RequestError('invalid_query', 'cursor: wants next_cursor of the page before', { cause })
  }
}

const cursorForm = z.tuple([z.int(), z.string()])

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
