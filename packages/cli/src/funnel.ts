import { API_HELP, apiOptions } from './access.ts'
import { askApi } from './api.ts'
import { PERIOD_HELP, periodOf, periodOptions } from './period.ts'
import { bar, type Column, fit, grouped, printable, table } from './terminal.ts'
import { CliError, text, type Verb, type VerbInput } from './verb.ts'

export const funnelVerb: Verb = {
  usage: '<step> <step> … [--window] [--mode] [--unit] [--breakdown] [--by] [--from] [--to]',
  summary: 'How many people took these steps in this order.',
  options: {
    ...apiOptions,
    ...periodOptions,
    window: { type: 'string' },
    mode: { type: 'string' },
    unit: { type: 'string' },
    breakdown: { type: 'string' },
    by: { type: 'string' },
  },
  help: [
    '--window <P7D>  ISO 8601 duration from the first step to the last; 7 days unless told',
    '--mode <mode>   ordered (others may come between), strict, strict_order, unordered; ordered unless told',
    '--unit <unit>   actor, session, or a property that holds the events of one together; actor unless told',
    '--breakdown <p> by the property that the first event has; or source, or day of entry',
    '--by <bucket>   over time: the day, week or month of the first step',
    ...PERIOD_HELP,
    ...API_HELP,
  ],
  async run(input) {
    if (input.words.length === 0)
      throw new CliError('A funnel wants its steps.', 'npx platform-events funnel SearchStarted BookingConfirmed')
    const body = { steps: input.words, ...periodOf(input), ...askedOf(input) }
    const answer = (await (await askApi(input, '/v1/funnel', { method: 'POST', body })).json()) as FunnelAnswer
    input.context.out(input.json ? `${JSON.stringify(answer)}\n` : formatFunnel(answer, input.context.columns))
    return 0
  },
}

/** What the options add to the question; the server says what it does not understand. */
function askedOf(input: VerbInput): object {
  const given = (option: string, field: (value: string) => object): object => {
    const value = text(input, option)
    return value === undefined ? {} : field(value)
  }
  return {
    ...given('window', (window) => ({ window })),
    ...given('mode', (mode) => ({ mode })),
    ...given('unit', (unit) => ({ unit: unit === 'actor' || unit === 'session' ? unit : { property: unit } })),
    ...given('breakdown', (by) => ({
      breakdown: by === 'source' || by === 'day' ? { by } : { property: by, at: 'first' },
    })),
    ...given('by', (unit) => ({ trend: { unit } })),
  }
}

interface Step {
  step: number
  event_type: string
  actors: number
  from_previous: number | null
  from_first: number | null
  /** Seconds. */
  time_from_previous?: { p50: number | null }
}

interface FunnelAnswer {
  steps: Step[]
  breakdown?: { value: string | null; other?: true; steps: Step[] }[]
  trend?: { bucket: string; open: boolean; steps: { actors: number; from_first: number | null }[] }[]
  from: string
  to: string
  window: string
}

/** One line a step: its people, their share of the first step as a bar, and what the step before lost. */
export function formatFunnel(answer: FunnelAnswer, columns: number): string {
  const names = answer.steps.map(({ step, event_type }) => fit(`${step} ${printable(event_type)}`, 40))
  const actors = answer.steps.map((step) => grouped(step.actors))
  const nameWidth = Math.max(...names.map((name) => name.length))
  const actorsWidth = Math.max('people'.length, ...actors.map((count) => count.length))
  const isTimed = answer.steps.some((step) => after(step) !== '')
  const barWidth = Math.max(10, Math.min(40, columns - nameWidth - actorsWidth - (isTimed ? 60 : 41)))
  const lines = answer.steps.map((step, at) =>
    [
      names[at]!.padEnd(nameWidth),
      bar(step.from_first ?? 0, barWidth).padEnd(barWidth),
      actors[at]!.padStart(actorsWidth),
      percent(step.from_first).padStart(7),
      at === 0 ? '' : `${percent(step.from_previous)} of the step before${after(step)}`,
    ]
      .join('  ')
      .trimEnd(),
  )
  const period = `from ${answer.from} to ${answer.to}, within ${answer.window} of the first step`
  return `${lines.join('\n')}\n${groupTable(answer)}${trendTable(answer)}\n${period}\n`
}

/** A line a group: who entered, and the share of them that came to the last step. */
function groupTable({ breakdown = [] }: FunnelAnswer): string {
  if (breakdown.length === 0) return ''
  const rows = breakdown.map(({ value, other, steps }) => [
    other ? '(others)' : fit(printable(value ?? '(none)'), 40),
    ...throughput(steps),
  ])
  return `\n${table([{ title: 'group' }, ...THROUGHPUT], rows)}`
}

/** A line a bucket; one whose people still have time is marked. */
function trendTable({ trend = [] }: FunnelAnswer): string {
  if (trend.length === 0) return ''
  const rows = trend.map(({ bucket, open, steps }) => [
    `${bucket.slice(0, 10)}${open ? ' …' : ''}`,
    ...throughput(steps),
  ])
  const note = trend.some(({ open }) => open) ? '… some who entered then still have time\n' : ''
  return `\n${table([{ title: 'from' }, ...THROUGHPUT], rows)}${note}`
}

const THROUGHPUT: Column[] = [
  { title: 'entered', align: 'right' },
  { title: 'came through', align: 'right' },
]

function throughput(steps: Pick<Step, 'actors' | 'from_first'>[]): [entered: string, through: string] {
  return [grouped(steps[0]?.actors ?? 0), percent(steps.at(-1)?.from_first ?? null)]
}

/** How long half of them took at most. */
function after({ time_from_previous }: Step): string {
  const seconds = time_from_previous?.p50 ?? null
  return seconds === null ? '' : `, ${shortDuration(seconds)} after it`
}

function shortDuration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

function percent(rate: number | null): string {
  return rate === null ? '–' : `${(rate * 100).toFixed(1)} %`
}
