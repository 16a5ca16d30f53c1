import { expect, it } from 'vitest'
import { duration } from './duration.ts'
import { period } from './parse.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')

it('takes the last 30 days, and looks as far ahead as a clock may be fast', () => {
  expect(period({}, NOW)).toEqual({ from: '2026-10-25T12:00:00.000Z', to: '2026-11-24T12:05:00.000Z' })
  expect(period({ to: '2026-01-31T00:00:00Z' }, NOW).from).toBe('2026-01-01T00:00:00.000Z')
})

it.each(['P7D', 'PT12H', 'P1W', 'P1DT30M', 'PT0H1S', 'P11M2DT4H5M6S', 'PT0.25S', 'P366D'])(
  'takes the duration %s',
  (text) => {
    expect(duration.safeParse(text).success).toBe(true)
  },
)
it.each(['P', 'PT', 'P1DT', 'P0D', '7D', 'P-1D', 'P1.5D', 'p7d', 'P7D ', 'P1Y2D', '', 7])(
  'refuses the duration %j',
  (text) => {
    expect(duration.safeParse(text).success).toBe(false)
  },
)
