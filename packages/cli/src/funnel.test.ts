import { expect, it } from 'vitest'
import { formatFunnel } from './funnel.ts'

const step = (n: number, actors: number, share: number, p50: number | null = null) => ({
  ...{ step: n, event_type: `Step${n}`, actors, from_previous: share, from_first: share },
  time_from_previous: { p50 },
})

it('tells groups, what is still open, and how long it took, within the width', () => {
  const text = formatFunnel(
    {
      steps: [step(1, 100, 1), step(2, 50, 0.5, 5400)],
      breakdown: [
        { value: 'Cali', steps: [step(1, 60, 1), step(2, 40, 0.6667)] },
        { value: null, other: true, steps: [step(1, 40, 1), step(2, 10, 0.25)] },
      ],
      trend: [
        { bucket: '2026-11-16T00:00:00.000Z', open: false, steps: [step(1, 90, 1), step(2, 45, 0.5)] },
        { bucket: '2026-11-23T00:00:00.000Z', open: true, steps: [step(1, 10, 1), step(2, 5, 0.5)] },
      ],
      ...{ from: '2026-11-16', to: '2026-11-24', window: 'P7D' },
    },
    100,
  )
  expect(text).toContain('50.0 % of the step before, 2 h after it')
  expect(text).toMatch(/^Cali +60 +66\.7 %$/m)
  expect(text).toMatch(/^\(others\) +40 +25\.0 %$/m)
  expect(text).toMatch(/^2026-11-16 +90 +50\.0 %$/m)
  expect(text).toMatch(/^2026-11-23 … +10 +50\.0 %$/m)
  expect(text).toContain('… some who entered then still have time')
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
})
