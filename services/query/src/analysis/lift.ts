import { RequestError } from '@platform-events/contracts'
import { z } from 'zod'
import { columnOf } from '../slices/column.ts'
import { analysis } from './analysis.ts'
import { readFunnel } from './funnel.ts'
import { askedFunnel, funnelFields } from './funnel-request.ts'
import { count, rate, time } from './funnel-shapes.ts'
import { property } from './match-request.ts'
import { rangeOf } from './period.ts'

const request = z.strictObject({
  ...funnelFields,
  step: z.int().min(1).max(20).describe('Who came to this one, and not to the next: not the last'),
  property,
})

const answer = z.object({
  values: z.array(
    z.object({
      value: z.string().nullable().describe('Of the property at that step; null where absent'),
      reached: count,
      dropped: count.describe('Did not come to the next required step'),
      drop_rate: rate,
      low: rate.describe('Wilson interval of 95 %'),
      high: rate,
      lift: rate.describe('drop_rate of this value by drop_rate of all'),
    }),
  ),
  from: time,
  to: time,
})

export const lift = analysis({
  path: 'funnel/lift',
  name: 'FunnelLift',
  summary: 'Which values of a property those have who drop out after a step.',
  request,
  answer,
  range: rangeOf,
  async run(asking, { step, property: name, ...given }) {
    const asked = askedFunnel(given, asking.nowMs)
    const { definition, range } = asked
    if (step >= definition.steps.length || definition.steps[step - 1]!.optional)
      throw new RequestError('invalid_query', 'step: wants the number of a required step, not of the last')
    const breakdown = { property: columnOf(name), at: step }
    const { slices } = await readFunnel(asking, asked, breakdown)
    const values = await asking.walk({ walk: 'lift', definition, breakdown, step }, slices)
    return { values, from: range.from, to: range.to }
  },
  csv: {
    columns: ['value', 'reached', 'dropped', 'drop_rate', 'low', 'high', 'lift'],
    rows: ({ values }) =>
      values.map((row) => [row.value, row.reached, row.dropped, row.drop_rate, row.low, row.high, row.lift]),
  },
})
