import { API_HELP, apiOptions } from './access.ts'
import { askApi } from './api.ts'
import { PERIOD_HELP, periodOf, periodOptions } from './period.ts'
import { bar, fit, grouped, printable } from './terminal.ts'
import { CliError, text, type Verb } from './verb.ts'

export const funnelVerb: Verb = {
  usage: '<step> <step> … [--window] [--from] [--to]',
  summary: 'How many people took these steps in this order.',
  options: { ...apiOptions, ...periodOptions, window: { type: 'string' } },
  help: [
    '--window <P7D>  ISO 8601 duration from the first step to the last; 7 days unless told',
    ...PERIOD_HELP,
    ...API_HELP,
  ],
  async run(input) {
    if (input.words.length === 0)
      throw new CliError('A funnel wants its steps.', 'npx platform-events funnel SearchStarted BookingConfirmed')
    const window = text(input, 'window')
    const body = { steps: input.words, ...periodOf(input), ...(window === undefined ? {} : { window }) }
    const answer = (await (await askApi(input, '/v1/funnel', { method: 'POST', body })).json()) as FunnelAnswer
    input.context.out(input.json ? `${JSON.stringify(answer)}\n` : formatFunnel(answer, input.context.columns))
    return 0
  },
}

interface FunnelAnswer {
  steps: {
    step: number
    event_type: string
    actors: number
    from_previous: number | null
    from_first: number | null
  }[]
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
  const barWidth = Math.max(10, Math.min(40, columns - nameWidth - actorsWidth - 41))
  const lines = answer.steps.map((step, at) =>
    [
      names[at]!.padEnd(nameWidth),
      bar(step.from_first ?? 0, barWidth).padEnd(barWidth),
      actors[at]!.padStart(actorsWidth),
      percent(step.from_first).padStart(7),
      at === 0 ? '' : `${percent(step.from_previous)} of the step before`,
    ]
      .join('  ')
      .trimEnd(),
  )
  return `${[...lines, '', `from ${answer.from} to ${answer.to}, within ${answer.window} of the first step`].join('\n')}\n`
}

function percent(rate: number | null): string {
  return rate === null ? '–' : `${(rate * 100).toFixed(1)} %`
}
