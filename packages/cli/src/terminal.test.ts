import { expect, it } from 'vitest'
import { formatFunnel } from './funnel.ts'
import { formatReport } from './retention.ts'
import { formatEvent } from './tail.ts'
import { bar, fit, printable, table } from './terminal.ts'

it('lets no event rewrite the screen', () => {
  expect(printable('a\u001b[2Jb\n\u202ec')).toBe('a\\u001b[2Jb\\u000a\\u202ec')
  const line = formatEvent(
    {
      event_type: 'A\u001b]0;x\u0007',
      user_id: null,
      session_id: '\u009b1m',
      properties: {},
      created_at: '2026-11-24T09:30:00.123Z',
    },
    120,
  )
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  expect(line).toMatch(/^09:30:00\.123 {2}A/)
})

it('draws bars in eighths', () => {
  expect(bar(1, 4)).toBe('████')
  expect(bar(0.5, 4)).toBe('██')
  expect(bar(1 / 32, 4)).toBe('▏')
  expect(bar(0, 4)).toBe('')
  expect(bar(7, 4)).toBe('████')
})

it('lines up a table, numbers to the right', () => {
  expect(
    table(
      [{ title: 'type' }, { title: 'n', align: 'right' }],
      [
        ['Search', '5'],
        ['B', '1,234'],
      ],
    ),
  ).toBe(['type        n', '──────  ─────', 'Search      5', 'B       1,234', ''].join('\n'))
  expect(fit('abcdef', 4)).toBe('abc…')
})

it('draws a funnel, a line a step, within the width', () => {
  const step = (
    n: number,
    event_type: string,
    actors: number,
    from_previous: number | null,
    from_first: number | null,
  ) => ({
    step: n,
    ...{ event_type, actors, from_previous, from_first },
  })
  const text = formatFunnel(
    {
      steps: [step(1, 'SearchStarted', 1200, 1, 1), step(2, 'BookingConfirmed', 300, 0.25, 0.25)],
      from: '2026-11-01T00:00:00Z',
      to: '2026-11-24T00:00:00Z',
      window: 'P7D',
    },
    110,
  )
  const [first = '', second = ''] = text.split('\n')
  expect(first).toBe(`1 SearchStarted     ${'█'.repeat(40)}   1,200  100.0 %`)
  expect(second).toBe(`2 BookingConfirmed  ${'█'.repeat(10).padEnd(40)}     300   25.0 %  25.0 % of the step before`)
  for (const line of [first, second]) expect(line.length).toBeLessThanOrEqual(110)
  expect(formatFunnel({ steps: [step(1, 'A', 0, null, null)], from: '', to: '', window: 'P7D' }, 80)).toContain('–')
})

it('tells what retention did, and what it did not', () => {
  const nothing = { premade: [], repaired: [], dropped: [], closed: [], segmented: [], problems: [] }
  expect(formatReport(nothing)).toBe('Nothing to do.\n')
  expect(
    formatReport({
      ...nothing,
      premade: ['2026-11-30'],
      problems: [{ step: 'drop', day: '2026-08-01', message: 'busy' }],
    }),
  ).toBe('premade   2026-11-30\nNOT DONE  drop 2026-08-01: busy\n')
})
