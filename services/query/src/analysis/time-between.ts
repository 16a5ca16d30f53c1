import { z } from 'zod'
import { duration } from '../duration.ts'
import { analysis } from './analysis.ts'
import { readFunnel } from './funnel.ts'
import { askedFunnel, funnelFields, step } from './funnel-request.ts'
import { count, distribution, time } from './funnel-shapes.ts'
import { periodFields, rangeOf } from './period.ts'

const request = z.strictObject({
  first: step,
  second: step,
  ...periodFields,
  window: duration.default('P30D'),
  unit: funnelFields.unit,
  unknown_types: funnelFields.unknown_types,
})

const answer = z.object({
  actors: count.describe('Who did the one and then the other within the window'),
  ...distribution.shape,
  mean: z.number().min(0).nullable().describe('Seconds'),
  from: time,
  to: time,
  window: z.string(),
})

export const timeBetween = analysis({
  path: 'time-between',
  name: 'TimeBetween',
  summary: 'How long it takes from one event to another: the times of the ordered funnel of the two.',
  request,
  answer,
  range: rangeOf,
  async run(asking, { first, second, ...given }) {
    const asked = askedFunnel({ ...given, steps: [first, second], mode: 'ordered', exclude: [] }, asking.nowMs)
    const { slices } = await readFunnel(asking, asked)
    const found = await asking.walk({ walk: 'time_between', definition: asked.definition }, slices)
    return { ...found, from: asked.range.from, to: asked.range.to, window: asked.window }
  },
  csv: {
    columns: ['from_seconds', 'to_seconds', 'actors'],
    rows: ({ histogram }) => histogram.map((bin) => [bin.from_seconds, bin.to_seconds, bin.actors]),
  },
})
