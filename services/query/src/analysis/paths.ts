import { RequestError } from '@platform-events/contracts'
import { z } from 'zod'
import { duration, durationMicros } from '../duration.ts'
import { analysis } from './analysis.ts'
import { unknownTypes } from './funnel-request.ts'
import { count, time } from './funnel-shapes.ts'
import { requireAnswerable } from './known.ts'
import { eventType, eventTypes } from './match-request.ts'
import { periodFields, rangeOf } from './period.ts'

const request = z.strictObject({
  start: eventType.optional().describe('What follows it; or:'),
  end: eventType.optional().describe('What goes before it'),
  ...periodFields,
  depth: z.int().min(2).max(10).default(5).describe('Event types in a path at most; repeats one after another are one'),
  window: duration.default('P1D').describe('From the start (to the end)'),
  event_types: eventTypes.optional().describe('Others are as if they had not happened; all unless told'),
  limit: z.int().min(1).max(1000).default(50),
  unknown_types: unknownTypes,
})

const answer = z.object({
  paths: z.array(
    z.object({
      path: z.array(z.string()).describe('In the order in which they happened'),
      actors: count,
      occurrences: count,
    }),
  ),
  from: time,
  to: time,
})

export const paths = analysis({
  path: 'paths',
  name: 'Paths',
  summary: 'The most frequent sequences of events after an event, or before it.',
  request,
  answer,
  range: rangeOf,
  async run(asking, asked) {
    const range = rangeOf(asked, asking.nowMs)
    const anchor = asked.start ?? asked.end
    if (anchor === undefined || (asked.start !== undefined && asked.end !== undefined))
      throw new RequestError('invalid_query', 'wants either start or end')
    const seen = asked.event_types ?? null
    await requireAnswerable(asking.client, asked.unknown_types === 'allow' ? [] : [...(seen ?? []), anchor], range)
    const { fromMicros, toMicros } = range
    const { slices } = await asking.read({
      ...{ fromMicros, toMicros, unit: 'actor', eventTypes: seen, columns: [] },
      ...{ sequence: true, nobody: false },
    })
    const found = await asking.walk(
      {
        ...{ walk: 'paths', anchor, direction: asked.start === undefined ? 'before' : 'after', fromMicros, toMicros },
        ...{ depth: asked.depth, windowMicros: durationMicros(asked.window), eventTypes: seen, limit: asked.limit },
      },
      slices,
    )
    return { paths: found, from: range.from, to: range.to }
  },
  csv: {
    columns: ['path', 'actors', 'occurrences'],
    rows: (found) => found.paths.map((row) => [row.path.join(' > '), row.actors, row.occurrences]),
  },
})
